import ArgumentParser
import Postgres

/// A wrong that is done to one of the two books after the storm, to see that the comparison finds it.
enum Tampering: String, ExpressibleByArgument, CaseIterable, Sendable {
    /// A charge of ours is raised by one credit, with all totals that follow from it.
    case ours
    /// The provider charges for something that nobody asked for.
    case provider
    /// An answer that a caller saw is taken out of our books.
    case answer

    func tamper(_ world: World) async throws {
        switch self {
        case .ours:
            try await world.books.execute(
                """
                UPDATE settlement SET charged_credits = charged_credits + 1, reserved_credits = reserved_credits + 1
                WHERE (wallet_id, task_id) IN (SELECT wallet_id, task_id FROM settlement ORDER BY task_id LIMIT 1)
                """)
        case .provider:
            try await world.sandbox.spendInStudio(1, account: world.plan.wallets[0].slug)
        case .answer:
            try await world.books.execute(
                """
                UPDATE client_request SET client_request_id = client_request_id || 'x'
                WHERE (wallet_id, task_id) IN (SELECT wallet_id, task_id FROM client_request ORDER BY task_id LIMIT 1)
                """)
        }
    }
}
