import Accounting
import Foundation
import Postgres
import Reporting
import TestDatabase
import Testing
import UsageSQL

@testable import Ledger

/// Rows that came before the partition of their month, and wait for it in the default one.
@Suite(.books, .timeLimit(.minutes(10))) struct `The default partition` {
    private static let tables = ["refusal", "reservation", "settlement"]

    /// A month that has no partition, though it should: the next one or the one after, which are the same two months should this one
    /// end meanwhile.
    private struct Month {
        let name: String
        let date: Date

        init(_ name: String) {
            self.name = name
            date = .utc("\(name.replacing("_", with: "-"))-15T10:00:00Z")
        }
    }

    /// Takes away the partitions of the next two months.
    private func dropPartitions() async throws -> [Month] {
        let months = try await TestDatabase.current.texts(
            """
            SELECT to_char((now() AT TIME ZONE 'UTC') + count * interval '1 month', 'YYYY_MM')
            FROM generate_series(1, 2) AS count ORDER BY count
            """
        ).map(Month.init)
        let owner = TestDatabase.current.pool(maximumConnections: 1)
        for table in Self.tables {
            for month in months { try await owner.execute(Statement("DROP TABLE \(table)_\(month.name)")) }
        }
        return months
    }

    /// Adds so many rows to each table, in groups, as of a moment.
    private func add(_ count: Int, to ledger: Ledger, at moment: Date) async throws {
        for _ in 0..<count / 1000 {
            _ = try await ledger.decide((0..<1000).map { _ in .sample(at: moment) })
            _ = try await ledger.decide((0..<1000).map { _ in .sample("closed", at: moment) })
        }
        let tasks = try await ledger.claim(upTo: count, at: .late, leaseUntil: .late)
        for start in stride(from: 0, to: tasks.count, by: 1000) {
            let settled = try await ledger.settle(
                tasks[start..<min(start + 1000, tasks.count)].map {
                    Settlement(
                        taskID: $0.id, leaseToken: $0.leaseToken, outcome: .rejected, charged: .zero, settledAt: moment)
                })
            #expect(settled.allSatisfy { $0 == .settled })
        }
    }

    /// How many rows each partition has that has any.
    private func counts() async throws -> [String] {
        let tables = Self.tables.map { "SELECT tableoid::regclass::text AS name FROM \($0)" }.joined(
            separator: " UNION ALL ")
        return try await TestDatabase.current.texts(
            Statement("SELECT name || ' ' || count(*) FROM (\(tables)) AS rows GROUP BY name ORDER BY name"))
    }

    /// What all rows come to, whichever partition they are in.
    private func contents(_ row: String = "row::text") async throws -> [String] {
        let tables = Self.tables.map {
            "SELECT '\($0)' AS name, count(*) AS rows, md5(string_agg(md5(\(row)), '' ORDER BY task_id)) AS sum FROM \($0) AS row"
        }
        return try await TestDatabase.current.texts(
            Statement(
                "SELECT concat_ws(' ', name, rows, sum) FROM (\(tables.joined(separator: " UNION ALL "))) AS summed ORDER BY name"
            ))
    }

    @Test func `gives 20,000 rows of each table to the partitions of their months, once`() async throws {
        let months = try await dropPartitions()
        let ledger = try await Ledger.sample(at: .sample)
        try await ledger.createProject("closed", month: .zero, at: .sample)
        for month in months { try await add(10_000, to: ledger, at: month.date) }
        // Of a month that is not made now.
        try await add(1000, to: ledger, at: .sample)
        let before = try await contents()
        #expect(try await counts() == Self.tables.map { "\($0)_default 21000" })

        #expect(try await ledger.makePartitions() == months.count * Self.tables.count)
        #expect(try await contents() == before)
        let places = Self.tables.flatMap { table in
            months.map { "\(table)_\($0.name) 10000" } + ["\(table)_default 1000"]
        }
        #expect(try await counts() == places.sorted())
        for (table, moment) in [("reservation", "reserved_at"), ("refusal", "refused_at")] {
            let strangers = try await TestDatabase.current.number(
                Statement(
                    """
                    SELECT count(*) FROM \(table)
                    WHERE tableoid::regclass::text NOT IN
                        ('\(table)_default', '\(table)_' || to_char(\(moment) AT TIME ZONE 'UTC', 'YYYY_MM'))
                    """))
            #expect(strangers == 0)
        }
        #expect(try await Verification.run(on: TestDatabase.current.pool(maximumConnections: 1)) == [])

        // Where each row lies, and which transaction put it there.
        let lying = "concat_ws(' ', row.tableoid, row.ctid, row.xmin)"
        let untouched = try await contents(lying)
        #expect(try await ledger.makePartitions() == 0)
        #expect(try await contents(lying) == untouched)
    }

    @Test func `is emptied while others hold, are refused and settle`() async throws {
        let months = try await dropPartitions()
        let ledger = try await Ledger.sample(at: .sample)
        try await ledger.createProject("closed", month: .zero, at: .sample)
        for month in months { try await add(1000, to: ledger, at: month.date) }
        let moments = months.map(\.date) + [.sample]
        let isMade = Flag()
        let callers = 24
        let start = Barrier(of: callers + 1)
        try await withThrowingTaskGroup(of: Void.self) { group in
            let processes = [ledger.other(), ledger.other()]
            for caller in 0..<callers {
                let process = processes[caller % 2]
                let moment = moments[caller % moments.count]
                group.addTask {
                    await start.arrive()
                    // At most as often as a broken test can bear.
                    for round in 0..<500 where round < 5 || !isMade.isSet {
                        let submission = TaskSubmission.sample(at: moment)
                        let task = try await process.hold(submission)
                        try await process.refusal(of: .sample("closed", at: moment))
                        try await process.record("timeout", of: task)
                        #expect(try await process.hold(submission) == task)
                        #expect(try await process.resolve(task, charged: 0) == .settled)
                    }
                }
            }
            group.addTask {
                defer { isMade.set() }
                await start.arrive()
                // Whoever cannot have its locks soon gives way, and comes again.
                let deadline = ContinuousClock.now + .seconds(300)
                while ContinuousClock.now < deadline {
                    do throws(LedgerError) {
                        #expect(try await ledger.other().makePartitions() == months.count * Self.tables.count)
                        return
                    } catch { #expect(error.isTransient, "\(error)") }
                }
                Issue.record("it never had its locks while others wrote")
            }
            try await group.waitForAll()
        }
        _ = try await ledger.makePartitions()
        // What is left is of a month that is not made now.
        let strangers = try await TestDatabase.current.number(
            "SELECT count(*) FROM reservation_default WHERE reserved_at >= '2026-06-01'")
        #expect(strangers == 0)
        #expect(try await counts().count == Self.tables.count * (months.count + 1))
        #expect(try await Verification.run(on: TestDatabase.current.pool(maximumConnections: 1)) == [])
    }
}
