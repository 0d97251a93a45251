import Accounting
import Postgres
import Testing

@testable import Ledger

extension Ledger {
    /// Writes acts as one group, whatever else is under way.
    func group(_ acts: [Act]) async throws -> [Answer] {
        let group = Group(acts, wallet: wallet.id)
        return try group.answers(await pool.pipeline(group.steps)).map { try $0.get() }
    }

    /// Decides requests in one group.
    func decide(_ submissions: [TaskSubmission]) async throws -> [ReservationOutcome] {
        try await group(submissions.map(Act.reserve)).map { answer in
            guard case .reservation(let outcome) = answer else { throw LedgerError.unreadable }
            return outcome
        }
    }

    /// Settles in one group.
    func settle(_ settlements: [Settlement]) async throws -> [SettlementOutcome] {
        try await group(settlements.map(Act.settle)).map { answer in
            guard case .settlement(let outcome) = answer else { throw LedgerError.unreadable }
            return outcome
        }
    }

    /// Accepts in one group.
    func accept(_ acceptances: [Acceptance]) async throws -> [AcceptanceOutcome] {
        try await group(acceptances.map(Act.accept)).map { answer in
            guard case .acceptance(let outcome) = answer else { throw LedgerError.unreadable }
            return outcome
        }
    }

    /// Accepts and settles in one group, the settlement given first.
    func acceptAndSettle(_ acceptance: Acceptance, _ settlement: Settlement) async throws {
        _ = try await group([.settle(settlement), .accept(acceptance)])
    }
}
