import Accounting
import Foundation
import Ledger
import Postgres
import Reporting
import Synchronization
import TestDatabase
import Testing

@Suite(.books) struct `The tasks of a month` {
    @Test func `are one row each, oldest first, with what their entries add up to`() async throws {
        _ = try await SampleMonth().lived()
        let tasks = try await TaskExport.sample()
        #expect(tasks.map { $0["task_id"] ?? "" } == tasks.map { $0["task_id"] ?? "" }.sorted())
        // Two are of the same moment.
        #expect(
            tasks.map { "\($0["submitted_at"] ?? "") \($0["project"] ?? "") \($0["state"] ?? "")" }.sorted() == [
                "2026-04-30T22:00:00.000Z trailer succeeded", "2026-05-12T08:00:00.000Z trailer succeeded",
                "2026-05-12T09:00:00.000Z trailer succeeded", "2026-05-12T10:00:00.000Z advert succeeded",
                "2026-05-12T10:00:00.000Z trailer succeeded", "2026-05-12T11:00:00.000Z trailer succeeded",
                "2026-05-12T12:00:00.000Z trailer succeeded", "2026-05-13T10:00:00.000Z trailer failed",
                "2026-05-14T10:00:00.000Z advert queued", "2026-05-20T10:00:00.000Z trailer succeeded",
                "2026-05-31T21:59:59.000Z trailer accepted",
            ])
        let dearer = try #require(tasks.first { $0["charged_credits"] == "1250" })
        #expect(dearer["price_credits"] == "1200" && dearer["reserved_credits"] == "1250")
        #expect(tasks[0]["day"] == "2026-05-01")
        #expect(tasks[0]["provider_task_id"] == "p-\(tasks[0]["task_id"] ?? "")")
    }

    @Test func `come to the month's report`() async throws {
        _ = try await SampleMonth().lived()
        for project in [nil, "trailer", "advert"] {
            let tasks = try await TaskExport.sample(project: project)
            let total = try await Report.sample(project: project).total
            #expect(tasks.count == Int(total.figure("tasks")))
            for column in ["reserved_credits", "charged_credits", "released_credits", "held_credits"] {
                #expect(tasks.compactMap { Int64($0[column] ?? "") }.reduce(0, +) == total.figure(column), "\(column)")
            }
        }
    }

    @Test func `show a later fact in the task's own row`() async throws {
        let month = try await SampleMonth()
        let task = try await month.hold("trailer", at: .utc("2026-05-12T08:00:00Z"))
        try await month.end(task, .failed, 0, recheckAt: .utc("2026-05-12T09:00:00Z"))
        let lease = try #require(await month.lease(task))
        let late = Settlement(
            taskID: task, leaseToken: lease.leaseToken, outcome: .succeeded, charged: .credits(42),
            settledAt: .utc("2026-06-03T00:00:00Z"))
        #expect(try await month.ledger.settle(late) == .corrected)
        let row = try #require(await TaskExport.sample().first)
        #expect(row["charged_credits"] == "42" && row["released_credits"] == "0" && row["reserved_credits"] == "42")
    }

    @Test func `are a header alone where there are none, and need a wallet and a project that exist`() async throws {
        _ = try await SampleMonth()
        #expect(try await TaskExport.sample().isEmpty)
        await #expect(throws: ReportError.unknownProject("film")) { try await TaskExport.sample(project: "film") }
        await #expect(throws: ReportError.unknownWallet("none")) {
            try await TaskExport.write(wallet: "none", month: .sample("2026-05"), from: .reports, to: { _ in })
        }
    }
}

extension TaskExport {
    /// The rows of May by the names of their columns. Nothing in them is quoted.
    fileprivate static func sample(project: String? = nil) async throws -> [[String: String]] {
        let bytes = Mutex<[UInt8]>([])
        let count = try await write(
            wallet: SampleMonth.slug, month: .sample("2026-05"), project: project, from: .reports
        ) { (chunk) throws(PostgresError) in
            bytes.withLock { $0 += chunk }
        }
        let lines = String(decoding: bytes.withLock { $0 }, as: UTF8.self).split(separator: "\n").map {
            $0.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        }
        #expect(lines.count == count + 1)
        return lines.dropFirst().map { Dictionary(uniqueKeysWithValues: zip(lines[0], $0)) }
    }
}
