import Accounting
import Ledger
import Postgres
import TestDatabase
import Testing

@Suite(.books) struct `A wallet's administration` {
    private func pool() -> ConnectionPool { TestDatabase.current.pool(role: "usage_service") }

    @Test func `makes wallets, each once`() async throws {
        try await Wallet.create(
            "second", timeZone: "Europe/Berlin", apiKeyVariable: "SECOND_KEY", at: .sample, in: pool())
        let wallet = try await Wallet.named("second", in: pool())
        #expect((wallet.timeZone, wallet.apiKeyVariable) == ("Europe/Berlin", "SECOND_KEY"))
        await #expect(throws: LedgerError.alreadyExists("Wallet 'second'")) {
            try await Wallet.create("second", timeZone: "UTC", apiKeyVariable: "SECOND_KEY", at: .sample, in: pool())
        }
        #expect(try await Wallet.all(in: pool()).map(\.wallet.slug) == ["main", "second"])
        #expect(try await Wallet.all(in: pool()).map(\.balance.gate) == [.noReading, .noReading])
    }

    @Test func `knows the time zones of the world`() async throws {
        await #expect(throws: LedgerError.unknownTimeZone("Mars/Olympus")) {
            try await Wallet.create("second", timeZone: "Mars/Olympus", apiKeyVariable: "KEY", at: .sample, in: pool())
        }
        await #expect(throws: LedgerError.unknownWallet("second")) { try await Wallet.named("second", in: pool()) }
    }

    @Test func `makes projects, each once in a wallet`() async throws {
        let ledger = try await Ledger.sample(month: 100)
        await #expect(throws: LedgerError.alreadyExists("Project 'alpha'")) {
            try await ledger.createProject("alpha", month: .credits(1), at: .sample)
        }
        #expect(try await ledger.budgets(at: .sample).map(\.limit) == [.credits(100)])
        _ = try await Ledger.sample(timeZone: "Europe/Berlin")
    }

    @Test func `sets and removes budgets, but never the month's`() async throws {
        let ledger = try await Ledger.sample(month: 100)
        try await ledger.setBudget(of: "alpha", .total, to: .credits(500), at: .sample)
        try await ledger.setBudget(of: "alpha", .day, to: .credits(50), at: .sample)
        #expect(try await ledger.budgets(at: .sample).map(\.period) == [.day, .month, .total])
        try await ledger.setBudget(of: "alpha", .total, to: nil, at: .sample)
        #expect(try await ledger.budgets(at: .sample).map(\.limit) == [.credits(50), .credits(100)])
        await #expect(throws: LedgerError.self) {
            try await ledger.setBudget(of: "alpha", .month, to: nil, at: .sample)
        }
        #expect(try await ledger.use().limit == .credits(100))
    }

    @Test func `knows no budget of a project that there is not`() async throws {
        let ledger = try await Ledger.sample()
        await #expect(throws: LedgerError.unknownProject("gamma")) {
            try await ledger.setBudget(of: "gamma", .day, to: .credits(1), at: .sample)
        }
        await #expect(throws: LedgerError.unknownProject("gamma")) {
            try await ledger.budgets(of: "gamma", at: .sample)
        }
    }

    @Test(arguments: [-1, 1_000_000_000_000_001]) func `keeps budgets within what can be`(limit: Int64) async throws {
        let ledger = try await Ledger.sample(month: 100)
        await #expect(throws: LedgerError.self) {
            try await ledger.setBudget(of: "alpha", .month, to: .credits(limit), at: .sample)
        }
        #expect(try await ledger.use().limit == .credits(100))
    }
}
