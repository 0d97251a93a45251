import Accounting
import Foundation
import Ledger
import Postgres
import TestDatabase
import Testing

@Suite(.books) struct `The guard` {
    @Test(arguments: BudgetPeriod.allCases) func `admits what fits a budget exactly`(period: BudgetPeriod) async throws
    {
        let ledger = try await Ledger.sample()
        try await ledger.setBudget(of: "alpha", period, to: .credits(84), at: .sample)
        try await ledger.hold()
        try await ledger.hold()
        #expect(try await ledger.use(period).remaining == .zero)
    }

    @Test(arguments: BudgetPeriod.allCases) func `refuses one credit more than a budget has`(period: BudgetPeriod)
        async throws
    {
        let ledger = try await Ledger.sample()
        try await ledger.setBudget(of: "alpha", period, to: .credits(83), at: .sample)
        try await ledger.hold()
        let reasons = try await ledger.refusal().reasons
        #expect(reasons.map(\.ceiling.rawValue) == ["project_\(period.rawValue)"])
        #expect(reasons.first?.remaining == .credits(41))
    }

    @Test func `admits what the wallet can give exactly`() async throws {
        let ledger = try await Ledger.sample(reading: 84)
        try await ledger.hold()
        try await ledger.hold()
        #expect(try await ledger.balance.available == .zero)
    }

    @Test func `refuses one credit more than the wallet can give`() async throws {
        let ledger = try await Ledger.sample(reading: 83)
        try await ledger.hold()
        let reason = try #require(await ledger.refusal(of: .sample(at: .sample + 59)).reasons.first)
        #expect(reason.ceiling == .wallet)
        #expect(reason.reading == .credits(83))
        #expect(reason.held == .credits(42))
        #expect(reason.remaining == .credits(41))
        #expect(reason.readingAgeSeconds == 59)
        #expect(reason.limit == nil && reason.charged == nil && reason.resetsOn == nil && reason.cause == nil)
    }

    @Test func `names every ceiling that a request would break`() async throws {
        let ledger = try await Ledger.sample(month: 42, reading: 42)
        try await ledger.setBudget(of: "alpha", .day, to: .credits(42), at: .sample)
        try await ledger.setBudget(of: "alpha", .total, to: .credits(42), at: .sample)
        try await ledger.hold()
        #expect(
            try await ledger.refusal().reasons.map(\.ceiling) == [.projectDay, .projectMonth, .projectTotal, .wallet])
    }

    @Test func `tells how a budget stood when it refused`() async throws {
        let ledger = try await Ledger.sample(month: 100)
        try await ledger.end(ledger.running(), .succeeded, charged: 42)
        try await ledger.hold()
        let reason = try #require(await ledger.refusal().reasons.first)
        #expect(reason.limit == .credits(100))
        #expect(reason.charged == .credits(42))
        #expect(reason.held == .credits(42))
        #expect(reason.remaining == .credits(16))
        #expect(reason.resetsOn == "2026-06-01")
        #expect(reason.reading == nil && reason.readingAgeSeconds == nil)
    }

    @Test(arguments: zip(BudgetPeriod.allCases, ["2026-05-13", "2026-06-01", nil]))
    func `tells when a budget starts anew`(period: BudgetPeriod, day: String?) async throws {
        let ledger = try await Ledger.sample()
        try await ledger.setBudget(of: "alpha", period, to: .zero, at: .sample)
        #expect(try await ledger.refusal().reasons.map(\.resetsOn) == [day])
        #expect(try await ledger.use(period).resetsOn == day)
    }

    @Test func `says that nothing is left of a budget that was cut`() async throws {
        let ledger = try await Ledger.sample()
        try await ledger.hold()
        try await ledger.setBudget(of: "alpha", .month, to: .credits(10), at: .sample)
        #expect(try await ledger.refusal().reasons.first?.remaining == .zero)
        #expect(try await ledger.use().remaining == .zero)
    }

    @Test func `records a refusal and holds nothing for it`() async throws {
        let ledger = try await Ledger.sample(month: 41)
        let refusal = try await ledger.refusal()
        #expect(try await ledger.refusal(refusal.taskID)?.refusal == refusal)
        #expect(try await ledger.refusal(refusal.taskID)?.project == "alpha")
        #expect(refusal.amount == .credits(42))
        #expect(try await ledger.balance.held == .zero)
        #expect(try await !ledger.nextDue().isUnfinished)
        #expect(try await TestDatabase.current.number("SELECT sum(refused)::bigint FROM day_total") == 1)
    }

    @Test func `refuses one project without touching another`() async throws {
        let ledger = try await Ledger.sample(month: 41)
        try await ledger.createProject("beta", month: .credits(42), at: .sample)
        try await ledger.refusal()
        try await ledger.hold(.sample("beta"))
    }

    @Test func `keeps wallets apart`() async throws {
        let main = try await Ledger.sample(reading: 42)
        let other = try await Ledger.sample(reading: 42, timeZone: "Europe/Berlin")
        try await main.hold()
        try await other.hold()
        try await main.refusal()
    }

    @Test func `does not decide for a project that it does not know`() async throws {
        let ledger = try await Ledger.sample()
        await #expect(throws: LedgerError.unknownProject("gamma")) { try await ledger.reserve(.sample("gamma")) }
        #expect(try await TestDatabase.current.number("SELECT count(*) FROM client_request") == 0)
    }

    @Test func `does not decide for a project of another wallet`() async throws {
        let main = try await Ledger.sample()
        let other = try await Ledger.sample(timeZone: "Europe/Berlin")
        try await other.createProject("gamma", month: .credits(42), at: .sample)
        await #expect(throws: LedgerError.unknownProject("gamma")) { try await main.reserve(.sample("gamma")) }
    }

    @Test func `does not decide for a model without a price`() async throws {
        let ledger = try await Ledger.sample()
        await #expect(throws: LedgerError.unpriced(model: "veo")) { try await ledger.reserve(.sample(model: "veo")) }
        #expect(try await TestDatabase.current.number("SELECT count(*) FROM client_request") == 0)
    }

    @Test func `decides in the order of arrival, and a later request may fit where an earlier did not`() async throws {
        let ledger = try await Ledger.sample(month: 90)
        try await ledger.setPrice(.sample(84, ("duration", "10")))
        try await ledger.setPrice(.sample(5, model: "cheap"))
        let group = try await ledger.decide([
            .sample(), .sample(with: ["duration": "10"]), .sample(), .sample(model: "cheap"), .sample(model: "cheap"),
        ])
        #expect(group.map(\.reservation?.amount) == [.credits(42), nil, .credits(42), .credits(5), nil])
        #expect(group[1].refusal?.reasons.first?.remaining == .credits(48))
        #expect(group[4].refusal?.reasons.first?.remaining == .credits(1))
    }

    @Test func `counts for a budget that was taken away and set again what happened between`() async throws {
        let ledger = try await Ledger.sample()
        try await ledger.setBudget(of: "alpha", .day, to: .credits(84), at: .sample)
        try await ledger.hold()
        try await ledger.setBudget(of: "alpha", .day, to: nil, at: .sample)
        let between = try await ledger.running()
        try await ledger.setBudget(of: "alpha", .day, to: .credits(84), at: .sample)
        #expect(try await ledger.refusal().reasons.first?.held == .credits(84))
        try await ledger.end(between, .failed, charged: 0)
        try await ledger.hold()
    }

    @Test func `counts for a new budget what was spent before it`() async throws {
        let ledger = try await Ledger.sample()
        try await ledger.end(ledger.running(), .succeeded, charged: 42)
        try await ledger.hold()
        try await ledger.setBudget(of: "alpha", .total, to: .credits(125), at: .sample)
        let reason = try #require(await ledger.refusal().reasons.first)
        #expect(reason.ceiling == .projectTotal)
        #expect((reason.charged, reason.held) == (.credits(42), .credits(42)))
    }

    @Test func `gives back what a failed task did not cost`() async throws {
        let ledger = try await Ledger.sample(month: 42, reading: 1000)
        try await ledger.end(ledger.running(), .failed, charged: 0)
        try await ledger.hold()
        try await ledger.refusal()
    }

    @Test func `wakes a worker when it has admitted`() async throws {
        let ledger = try await Ledger.sample()
        let pool = TestDatabase.current.pool(maximumConnections: 1)
        let submission = TaskSubmission.sample()
        let news = try await pool.withConnection { (connection) throws(PostgresError) in
            try await connection.listen(to: "usage_work")
            _ = try? await ledger.reserve(submission)
            return try await connection.notifications(waitingUpTo: .seconds(30))
        }
        #expect(news.map(\.payload) == ["\(ledger.wallet.id)"])
    }

    @Test func `wakes no worker when it has refused`() async throws {
        let ledger = try await Ledger.sample(reading: 41)
        let pool = TestDatabase.current.pool(maximumConnections: 1)
        let news = try await pool.withConnection { (connection) throws(PostgresError) in
            try await connection.listen(to: "usage_work")
            for _ in 0..<3 { _ = try? await ledger.refusal() }
            return try await connection.notifications(waitingUpTo: .milliseconds(200))
        }
        #expect(news.isEmpty)
        #expect(try await TestDatabase.current.texts("SELECT count(*)::text FROM refusal") == ["3"])
    }
}
