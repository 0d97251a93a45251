import Accounting
import Foundation
import Postgres
import TestDatabase
import Testing
import UsageSQL

@testable import Ledger

/// The narrowest of races: a worker has taken the task, and its statement is not committed yet, when a settlement that
/// may not be booked any more comes to the books.
@Suite(.books) struct `A settlement that meets a takeover` {
    @Test func `is fenced, as the lease goes to another in the same moment`() async throws {
        let ledger = try await Ledger.sample()
        let task = try await ledger.hold()
        let old = try #require(await ledger.claim(upTo: 1, at: .sample, leaseUntil: .sample + 8).first).leaseToken
        let outcome = try await whileTaking(at: .sample + 8, of: ledger) { books in
            try await books.settle(task, old, .rejected, charged: 0)
        }
        let held = try await ledger.balance.held
        #expect(outcome == .fenced)
        #expect(held == .credits(42))
    }

    @Test func `is turned away where a person releases what is sent in the same moment`() async throws {
        let ledger = try await Ledger.sample()
        let task = try await ledger.hold()
        let outcome = try await whileTaking(at: .sample, of: ledger) { books in
            try await books.resolve(task, charged: 0)
        }
        let held = try await ledger.balance.held
        #expect(outcome == .beingSent)
        #expect(held == .credits(42))
    }

    /// Settles while another worker takes all tasks, and lets that one commit once the settlement waits or is done.
    private func whileTaking(
        at now: Date, of ledger: Ledger, _ settle: @escaping @Sendable (Ledger) async throws -> SettlementOutcome
    ) async throws -> SettlementOutcome? {
        let books = ledger.other()
        let observer = TestDatabase.current.pool(maximumConnections: 1)
        return try await TestDatabase.current.pool(maximumConnections: 1).withConnection {
            (worker) throws(PostgresError) in
            try await worker.execute("BEGIN")
            _ = try await worker.query(Query.claim, ledger.wallet.id, now, Int64(10), Date.late, [UUID]())
            async let outcome = settle(books)
            let deadline = ContinuousClock.now + .seconds(2)
            while ContinuousClock.now < deadline,
                try await observer.query(
                    """
                    SELECT FROM pg_locks JOIN pg_stat_activity USING (pid)
                    WHERE NOT granted AND datname = current_database()
                    """
                ).isEmpty
            {}
            try await worker.execute("COMMIT")
            return try? await outcome
        }
    }
}
