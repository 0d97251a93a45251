import Accounting
import Foundation
import Ledger
import Postgres
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

    /// When things happen in a test that does not care.
    static let sample = utc("2026-05-12T10:00:00Z")
    /// After everything that a test does.
    static let late = utc("2099-01-01T00:00:00Z")
}

extension Ledger {
    /// The books of a wallet with the project alpha, kept under the service's own role.
    ///
    /// - Parameter reading: The provider's balance; nil for a wallet that was never read.
    static func sample(
        month: Int64 = 1_000_000, reading: Int64? = 1_000_000, timeZone: String = "UTC", at now: Date = .sample
    ) async throws -> Ledger {
        let pool = TestDatabase.current.pool(role: "usage_service")
        if timeZone != "UTC" {
            try await Wallet.create("other", timeZone: timeZone, apiKeyVariable: "OTHER_KEY", at: now, in: pool)
        }
        let ledger = Ledger(wallet: try await .named(timeZone == "UTC" ? "main" : "other", in: pool), pool: pool)
        try await ledger.createProject("alpha", month: .credits(month), at: now)
        if let reading { try await ledger.read(reading, at: now) }
        return ledger
    }

    /// The same books, kept by another process.
    func other() -> Ledger { Ledger(wallet: wallet, pool: TestDatabase.current.pool(role: "usage_service")) }

    @discardableResult
    func read(_ current: Int64, at now: Date = .sample) async throws -> WalletReading {
        try await finishReading(beginReading(), current: .credits(current), at: now)
    }

    /// Asks for one task and expects to get it.
    @discardableResult
    func hold(_ submission: TaskSubmission = .sample()) async throws -> TaskID {
        try #require(await reserve(submission).reservation).taskID
    }

    /// Asks for one task and expects to be refused.
    @discardableResult
    func refusal(of submission: TaskSubmission = .sample()) async throws -> Refusal {
        try #require(await reserve(submission).refusal)
    }

    @discardableResult
    func accept(
        _ task: TaskID, as provider: String? = nil, reserved: Int64? = 42, at now: Date = .sample
    ) async throws -> AcceptanceOutcome {
        try await accept(
            Acceptance(
                taskID: task, providerTaskID: provider ?? "p-\(task)", reserved: reserved.map(Credits.init),
                acceptedAt: now,
                pollAt: now))
    }

    /// Holds and accepts.
    func running(_ submission: TaskSubmission = .sample()) async throws -> TaskID {
        let task = try await hold(submission)
        #expect(try await accept(task) == .accepted)
        return task
    }

    /// Leases every task, whoever had it, and returns one of them.
    func lease(_ task: TaskID) async throws -> LeasedTask {
        try #require(await claim(upTo: 1000, at: .late, leaseUntil: .late).first { $0.id == task })
    }

    /// Settles on the provider's word, under a fresh lease.
    @discardableResult
    func end(
        _ task: TaskID, _ outcome: Settlement.Outcome, charged: Int64, at now: Date = .sample, recheckAt: Date? = nil
    ) async throws -> SettlementOutcome {
        let token = try await lease(task).leaseToken
        return try await settle(task, token, outcome, charged: charged, at: now, recheckAt: recheckAt)
    }

    func settle(
        _ task: TaskID, _ token: Int64, _ outcome: Settlement.Outcome, charged: Int64, at now: Date = .sample,
        recheckAt: Date? = nil
    ) async throws -> SettlementOutcome {
        try await settle(
            Settlement(
                taskID: task, leaseToken: token, outcome: outcome, charged: .credits(charged), settledAt: now,
                recheckAt: recheckAt))
    }

    /// Settles on a person's word.
    @discardableResult
    func resolve(_ task: TaskID, charged: Int64, at now: Date = .sample) async throws -> SettlementOutcome {
        try await settle(
            Settlement(
                resolving: task, charged: .credits(charged), by: "mara", reason: "asked support", at: now,
                recheckAt: now))
    }

    func record(
        _ code: String, of task: TaskID?, _ act: RecordedError.Act = .create, attempt: Int = 1, at now: Date = .sample
    ) async throws {
        try await record(
            RecordedError(
                taskID: task, act: act, attempt: attempt, code: code, httpStatus: 402, requestID: "r-1", message: "no",
                occurredAt: now))
    }

    var balance: WalletBalance {
        get async throws {
            try #require(await Wallet.all(in: TestDatabase.current.pool(), slug: wallet.slug).first).balance
        }
    }

    /// What is used of alpha's budget of a period.
    func use(_ period: BudgetPeriod = .month, at now: Date = .sample) async throws -> BudgetUse {
        try #require(await budgets(of: "alpha", at: now).first { $0.period == period })
    }
}

extension TaskSubmission {
    static func sample(
        _ project: String = "alpha", model: String = "kling-v2-5-turbo-pro", with parameters: [String: String] = [:],
        named name: String? = nil, asking question: String = "a boat", body: String? = "{}", at now: Date = .sample
    ) -> TaskSubmission {
        TaskSubmission(
            taskID: .make(at: now), project: project, model: model, parameters: parameters, clientRequestID: name,
            fingerprint: Array(question.utf8), body: body.map { Array($0.utf8) }, submittedAt: now)
    }
}

extension ReservationOutcome {
    var reservation: Reservation? { if case .reserved(let reservation) = self { reservation } else { nil } }
    var refusal: Refusal? { if case .refused(let refusal) = self { refusal } else { nil } }
}

extension Price {
    static func sample(
        _ amount: Int64, model: String = "kling-v2-5-turbo-pro", _ parameter: (String, String)? = nil,
        from moment: Date = .utc("2026-01-01T00:00:00Z")
    ) -> Price {
        Price(
            model: model, parameter: parameter.map { (name: $0.0, value: $0.1) }, amount: .credits(amount),
            effectiveFrom: moment)
    }
}

extension TestDatabase {
    /// One number, read by the owner of the tables.
    func number(_ statement: Statement, _ parameters: any PostgresEncodable...) async throws -> Int64 {
        try await pool(maximumConnections: 1).query(statement, parameters: parameters)[0].decode(at: 0)
    }

    /// A column of texts, read by the owner of the tables.
    func texts(_ statement: Statement) async throws -> [String] {
        try await pool(maximumConnections: 1).query(statement).map { row in try row.decode(at: 0) }
    }
}
