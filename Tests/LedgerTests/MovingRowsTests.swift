import Accounting
import Foundation
import Postgres
import Reporting
import TestDatabase
import Testing

@testable import Ledger

/// What is looked for while its rows move from the default partition to that of their month.
@Suite(.books) struct `A task whose rows move to their month` {
    /// Acts through new connections, while the partitions of May are made, from the moment on at which the rows have moved.
    private func whileMoving<Value: Sendable>(
        of ledger: Ledger, _ act: @escaping @Sendable (Ledger) async throws -> Value
    ) async throws -> Value {
        let books = ledger.other()
        return try await behind("SELECT make_partitions('2026-05-12', '2026-05-12')") { try await act(books) }
    }

    private func expectNoDifferences() async throws {
        #expect(try await Verification.run(on: TestDatabase.current.pool(maximumConnections: 1)) == [])
    }

    @Test func `is the answer to whoever asks again`() async throws {
        let ledger = try await Ledger.sample()
        let task = try await ledger.hold(.sample(named: "film-1"))
        let again = try await whileMoving(of: ledger) { try await $0.reserve(.sample(named: "film-1")) }
        #expect(again.reservation?.taskID == task)
    }

    @Test func `is corrected`() async throws {
        let ledger = try await Ledger.sample()
        let task = try await ledger.running()
        try await ledger.end(task, .failed, charged: 0, recheckAt: .late)
        let token = try await ledger.lease(task).leaseToken
        let outcome = try await whileMoving(of: ledger) { try await $0.settle(task, token, .succeeded, charged: 42) }
        #expect(outcome == .corrected)
        try await expectNoDifferences()
    }

    @Test func `has its errors counted`() async throws {
        let ledger = try await Ledger.sample()
        let task = try await ledger.hold()
        try await whileMoving(of: ledger) { try await $0.record("timeout", of: task) }
        try await expectNoDifferences()
    }

    @Test func `closes the gate with a guard miss`() async throws {
        let ledger = try await Ledger.sample()
        let task = try await ledger.hold()
        try await whileMoving(of: ledger) { try await $0.record("insufficient_credits", of: task) }
        #expect(try await ledger.balance.gate == .guardMiss)
    }

    @Test func `is sent with its stored request`() async throws {
        let ledger = try await Ledger.sample()
        try await ledger.hold()
        let leased = try await whileMoving(of: ledger) { try await $0.claim(upTo: 1, at: .late, leaseUntil: .late) }
        #expect(leased.first?.body != nil)
    }

    @Test func `is accepted after a person ended it`() async throws {
        let ledger = try await Ledger.sample()
        let task = try await ledger.hold()
        try await ledger.resolve(task, charged: 0)
        let outcome = try await whileMoving(of: ledger) { try await $0.accept(task) }
        #expect(outcome == .accepted)
    }

    @Test func `is shown`() async throws {
        let ledger = try await Ledger.sample()
        let task = try await ledger.hold()
        let shown = try await whileMoving(of: ledger) { try await $0.task(task) }
        #expect(shown != nil)
    }

    @Test func `is the first of its month`() async throws {
        let ledger = try await Ledger.sample()
        let first = try await whileMoving(of: ledger) { try await $0.reserve(.sample()) }
        #expect(first.reservation != nil)
        #expect(try await TestDatabase.current.number("SELECT count(*) FROM reservation_2026_05") == 1)
    }

    @Test func `is in the month's list`() async throws {
        let ledger = try await Ledger.sample()
        let owner = TestDatabase.current.pool(maximumConnections: 1)
        // Those beside it, so that nobody looks for the month in the default one.
        try await owner.execute(
            "SELECT make_partitions('2026-04-12', '2026-04-12'), make_partitions('2026-06-12', '2026-06-12')")
        try await ledger.hold()
        let wallet = ledger.wallet.slug
        let rows = try await whileMoving(of: ledger) { _ in
            try await TaskExport.write(wallet: wallet, month: Month("2026-05")!, from: owner, to: { _ in })
        }
        #expect(rows == 1)
    }

    @Test func `is in the books that are proved`() async throws {
        let ledger = try await Ledger.sample()
        try await ledger.hold()
        let owner = TestDatabase.current.pool(maximumConnections: 1)
        let found = try await whileMoving(of: ledger) { _ in try await Verification.run(on: owner) }
        #expect(found == [])
    }
}
