import Accounting
import Foundation
import Ledger
import Postgres
import TestDatabase
import Testing

@Suite(.books) struct `The partitions` {
    private static let tables = ["refusal", "reservation", "settlement"]

    /// The partitions that there are, by name.
    private func partitions() async throws -> [String] {
        try await TestDatabase.current.texts(
            "SELECT relname::text FROM pg_class WHERE relispartition AND relkind = 'r' ORDER BY 1")
    }

    private func names(of months: [String]) -> [String] {
        Self.tables.flatMap { table in months.map { "\(table)_\($0)" } }.sorted()
    }

    /// This month and the next two, as partitions are called.
    private func months() async throws -> [String] {
        try await TestDatabase.current.texts(
            """
            SELECT to_char((now() AT TIME ZONE 'UTC') + count * interval '1 month', 'YYYY_MM')
            FROM generate_series(0, 2) AS count ORDER BY count
            """)
    }

    @Test func `are there for this month and the next two, from the beginning`() async throws {
        #expect(try await partitions() == names(of: months() + ["default"]))
        #expect(try await Ledger.sample().makePartitions() == 0)
    }

    @Test func `are made by the service, ahead, once, whoever asks`() async throws {
        let ledger = try await Ledger.sample()
        let owner = TestDatabase.current.pool()
        for table in Self.tables { try await owner.execute(Statement("DROP TABLE \(table)_\(months()[2])")) }
        let others = (0..<8).map { _ in ledger.other() }
        let made = try await withThrowingTaskGroup(of: Int.self) { group in
            for other in others { group.addTask { try await other.makePartitions() } }
            return try await group.reduce(0, +)
        }
        #expect(made == Self.tables.count)
        #expect(try await partitions() == names(of: months() + ["default"]))
    }

    @Test func `take the rows of their month that came before them`() async throws {
        let ledger = try await Ledger.sample(month: 84)
        let first = try await ledger.running()
        try await ledger.end(first, .failed, charged: 0, recheckAt: .late)
        let second = try await ledger.running()
        try await ledger.hold(.sample(at: .utc("2026-06-01T00:00:00Z")))
        try await ledger.hold()
        try await ledger.refusal()
        func counts(_ month: String) -> String {
            Self.tables.map { "SELECT '\($0)', count(*) FROM \($0)_\(month)" }.joined(separator: " UNION ALL ")
        }
        func rows(of month: String) async throws -> [String] {
            try await TestDatabase.current.texts(
                Statement("SELECT format('%s %s', name, rows) FROM (\(counts(month))) AS counted (name, rows)"))
        }
        #expect(try await rows(of: "default") == ["refusal 1", "reservation 4", "settlement 1"])

        try await TestDatabase.current.pool().execute(
            "SELECT make_partitions('2026-05-31 23:59:59Z', '2026-05-31 23:59:59Z')")
        #expect(try await rows(of: "2026_05") == ["refusal 1", "reservation 3", "settlement 1"])
        #expect(try await rows(of: "default") == ["refusal 0", "reservation 1", "settlement 0"])

        // All goes on, with those that moved and new ones of the month.
        #expect(try await ledger.end(first, .succeeded, charged: 42) == .corrected)
        try await ledger.end(second, .succeeded, charged: 42)
        #expect(try await rows(of: "2026_05") == ["refusal 1", "reservation 3", "settlement 2"])
    }
}
