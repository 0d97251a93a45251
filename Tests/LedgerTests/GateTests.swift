import Accounting
import Foundation
import Ledger
import TestDatabase
import Testing

@Suite(.books) struct `The wallet's gate` {
    /// Books with a task that the provider turned away for want of credits.
    private func missed(reading: Int64 = 1000) async throws -> Ledger {
        let ledger = try await Ledger.sample(reading: reading)
        let task = try await ledger.hold()
        let lease = try await ledger.lease(task)
        try await ledger.record("insufficient_credits", of: task)
        #expect(try await ledger.settle(task, lease.leaseToken, .rejected, charged: 0) == .settled)
        return ledger
    }

    @Test func `is closed until the balance was read`() async throws {
        let ledger = try await Ledger.sample(reading: nil)
        let reason = try #require(await ledger.refusal().reasons.first)
        #expect(reason.ceiling == .walletGate)
        #expect(reason.cause == .noReading)
        #expect(reason.remaining == .zero)
        #expect(reason.reading == nil && reason.readingAgeSeconds == nil)
        try await ledger.read(42)
        try await ledger.hold()
    }

    @Test func `opens with a first reading of nothing, and then the wallet refuses`() async throws {
        let ledger = try await Ledger.sample(reading: 0)
        #expect(try await ledger.refusal().reasons.map(\.ceiling) == [.wallet])
    }

    @Test func `closes after a guard miss`() async throws {
        let ledger = try await missed()
        let reason = try #require(await ledger.refusal(of: .sample(at: .sample + 7)).reasons.first)
        #expect(reason.ceiling == .walletGate)
        #expect(reason.cause == .guardMiss)
        #expect(reason.needed == .credits(42))
        #expect(reason.remaining == .credits(1000))
        #expect(reason.reading == .credits(1000))
        #expect(reason.readingAgeSeconds == 7)
        #expect(try await ledger.balance.guardMisses == 1)
        #expect(try await ledger.balance.gate == .guardMiss)
    }

    @Test func `closes when an accepted task fails for want of credits`() async throws {
        let ledger = try await Ledger.sample()
        let task = try await ledger.running()
        try await ledger.record("insufficient_credits", of: task, .task)
        #expect(try await ledger.refusal().reasons.first?.cause == .guardMiss)
    }

    @Test func `closes after a guard miss of a task that the books do not know`() async throws {
        let ledger = try await Ledger.sample()
        try await ledger.record("insufficient_credits", of: .make(at: .sample))
        #expect(try await ledger.refusal().reasons.first?.cause == .guardMiss)
        try await ledger.read(1000)
        try await ledger.hold()
    }

    @Test(arguments: [RecordedError.Act.status, .upload, .credits])
    func `stays open when another act is answered so`(act: RecordedError.Act) async throws {
        let ledger = try await Ledger.sample()
        try await ledger.record("insufficient_credits", of: try await ledger.running(), act)
        try await ledger.hold()
    }

    @Test func `stays open after other errors`() async throws {
        let ledger = try await Ledger.sample()
        try await ledger.record("rate_limited", of: try await ledger.hold())
        try await ledger.hold()
        #expect(try await ledger.balance.guardMisses == 0)
    }

    @Test func `does not open with a reading that was asked for before the miss`() async throws {
        let ledger = try await Ledger.sample(reading: 1000)
        let before = try await ledger.beginReading()
        try await ledger.record("insufficient_credits", of: try await ledger.running(), .task)
        let reading = try await ledger.finishReading(before, current: .credits(958), at: .sample)
        #expect(reading.isNewest)
        #expect(try await ledger.refusal().reasons.first?.cause == .guardMiss)
    }

    @Test func `opens with a later reading that shows enough`() async throws {
        let ledger = try await missed()
        try await ledger.read(42)
        #expect(try await ledger.balance.gate == nil)
        try await ledger.hold()
    }

    @Test func `stays closed with a later reading that shows one credit too few`() async throws {
        let ledger = try await missed()
        try await ledger.read(41)
        #expect(try await ledger.refusal().reasons.map(\.ceiling) == [.walletGate])
        try await ledger.read(42)
        try await ledger.hold()
    }

    @Test func `counts what is held against a reading that would open it`() async throws {
        let ledger = try await missed()
        let ledgerBeforeMiss = try await ledger.balance
        #expect(ledgerBeforeMiss.held == .zero)
        try await ledger.read(42)
        let waiting = try await ledger.hold()
        try await ledger.record("insufficient_credits", of: waiting)
        try await ledger.read(83)
        #expect(try await ledger.balance.gate == .guardMiss)
        try await ledger.read(84)
        #expect(try await ledger.balance.gate == nil)
    }

    @Test func `counts each miss once, whatever the group`() async throws {
        let ledger = try await Ledger.sample()
        let first = try await ledger.hold()
        let second = try await ledger.hold()
        try await ledger.record("insufficient_credits", of: first)
        try await ledger.record("insufficient_credits", of: second)
        try await ledger.record("insufficient_credits", of: second, attempt: 2)
        #expect(try await ledger.balance.guardMisses == 3)
    }
}
