import Accounting
import Foundation
import Ledger
import Postgres
import Reporting
import TestDatabase
import Testing
import UsageSQL

extension Trait where Self == DatabaseTrait {
    /// A database with the schema.
    static var books: DatabaseTrait { .database(migrations: UsageSQL.migrations) }
}

extension Date {
    /// A moment written as `2026-05-12T10:00:00Z`.
    static func utc(_ text: String) -> Date {
        guard let date = try? Date(text, strategy: .iso8601) else { preconditionFailure("\(text) is not a moment") }
        return date
    }
}

extension Month {
    static func sample(_ text: String) -> Month {
        guard let month = Month(text) else { preconditionFailure("\(text) is not a month") }
        return month
    }
}

/// A wallet in Berlin with three projects and a May in which everything happens that a report can show.
struct SampleMonth {
    static let slug = "studio"
    let ledger: Ledger
    private let pool: ConnectionPool

    init() async throws {
        pool = TestDatabase.current.pool(role: "usage_service")
        let start = Date.utc("2026-04-30T22:00:00Z")
        try await Wallet.create(Self.slug, timeZone: "Europe/Berlin", apiKeyVariable: "STUDIO_KEY", at: start, in: pool)
        ledger = Ledger(wallet: try await .named(Self.slug, in: pool), pool: pool)
        try await ledger.createProject("trailer", month: .credits(4200), at: start)
        try await ledger.createProject("advert", month: .credits(100), at: start)
        try await ledger.createProject("idle", month: .credits(1000), at: start)
        try await ledger.setPrice(
            Price(model: "veo-3", parameter: nil, amount: .credits(1200), effectiveFrom: .utc("2026-05-10T00:00:00Z")))
        try await read(20_000, at: start)
    }

    /// Fills the month.
    func lived() async throws -> SampleMonth {
        // The first second of May in Berlin; one second earlier is April.
        try await end(hold("trailer", at: .utc("2026-04-30T21:59:59Z")), .succeeded, 42)
        try await end(hold("trailer", at: .utc("2026-04-30T22:00:00Z")), .succeeded, 42)
        for hour in 8...12 {
            try await end(hold("trailer", at: .utc("2026-05-12T\(hour < 10 ? "0" : "")\(hour):00:00Z")), .succeeded, 42)
        }
        let failed = try await hold("trailer", at: .utc("2026-05-13T10:00:00Z"))
        try await record(failed, .task, "content_policy_violation")
        try await end(failed, .failed, 0)
        try await end(hold("trailer", model: "veo-3", at: .utc("2026-05-20T10:00:00Z")), .succeeded, 1250)
        try await accept(hold("trailer", model: "veo-3", at: .utc("2026-05-31T21:59:59Z")))
        // 20,000 less 7 × 42 and 1,250 for what has ended, 1,200 for what runs, and 500 of somebody else's.
        try await read(16_756, at: .utc("2026-05-31T21:00:00Z"))

        try await end(hold("advert", at: .utc("2026-05-12T10:00:00Z")), .succeeded, 42)
        _ = try await hold("advert", at: .utc("2026-05-14T10:00:00Z"))
        for _ in 0..<2 { #expect(try await !reserve("advert", at: .utc("2026-05-14T11:00:00Z"))) }
        // In June, by Berlin's clocks: not in the report of May, and neither is the budget that is set then.
        _ = try await hold("advert", at: .utc("2026-05-31T22:00:00Z"))
        try await ledger.setBudget(of: "advert", .month, to: .credits(9000), at: .utc("2026-06-01T08:00:00Z"))
        try await ledger.createProject("late", month: .credits(500), at: .utc("2026-06-01T08:00:00Z"))
        return self
    }

    func hold(_ project: String, model: String = "kling-v2-5-turbo-pro", at now: Date) async throws -> TaskID {
        let submission = submission(project, model, now)
        #expect(try await isReserved(submission))
        return submission.taskID
    }

    func reserve(_ project: String, at now: Date) async throws -> Bool {
        try await isReserved(submission(project, "kling-v2-5-turbo-pro", now))
    }

    func accept(_ task: TaskID) async throws {
        let moment = Date.utc("2026-05-12T10:00:00Z")
        let acceptance = Acceptance(
            taskID: task, providerTaskID: "p-\(task)", reserved: nil, acceptedAt: moment, pollAt: moment)
        #expect(try await ledger.accept(acceptance) == .accepted)
    }

    func end(_ task: TaskID, _ outcome: Settlement.Outcome, _ charged: Int64, recheckAt: Date? = nil) async throws {
        if outcome != .rejected { try await accept(task) }
        let lease = try #require(await lease(task))
        let settlement = Settlement(
            taskID: task, leaseToken: lease.leaseToken, outcome: outcome, charged: .credits(charged),
            settledAt: .utc("2026-06-02T00:00:00Z"), recheckAt: recheckAt)
        #expect(try await ledger.settle(settlement) == .settled)
    }

    func lease(_ task: TaskID) async throws -> LeasedTask? {
        let late = Date.utc("2099-01-01T00:00:00Z")
        return try await ledger.claim(upTo: 100, at: late, leaseUntil: late).first { $0.id == task }
    }

    func record(_ task: TaskID, _ act: RecordedError.Act, _ code: String) async throws {
        try await ledger.record(
            RecordedError(
                taskID: task, act: act, attempt: 1, code: code, httpStatus: nil, requestID: nil, message: "no",
                occurredAt: .utc("2026-05-13T10:00:00Z")))
    }

    func read(_ current: Int64, at now: Date) async throws {
        _ = try await ledger.finishReading(ledger.beginReading(), current: .credits(current), at: now)
    }

    private func submission(_ project: String, _ model: String, _ now: Date) -> TaskSubmission {
        TaskSubmission(
            taskID: .make(at: now), project: project, model: model, fingerprint: [], body: Array("{}".utf8),
            submittedAt: now)
    }

    private func isReserved(_ submission: TaskSubmission) async throws -> Bool {
        if case .reserved = try await ledger.reserve(submission) { true } else { false }
    }
}

/// A file of the folder Expected.
func expected(_ name: String) throws -> String {
    let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Expected")
    let file = folder.appending(path: name)
    return try String(contentsOf: file, encoding: .utf8)
}
