import ArgumentParser
import Postgres
import RivyaSandbox

/// A wrong that is done to one of the two books after the storm, to see that the comparison finds it.
enum Tampering: String, ExpressibleByArgument, CaseIterable, Sendable {
    /// One credit of a charge of ours is moved to another task, which no sum shows.
    case ours
    /// The provider's balance moves by a credit after our last reading.
    case provider
    /// A request in our books gets another name than that under which a caller was answered.
    case answer

    func tamper(_ world: World) async throws {
        switch self {
        case .ours:
            try await world.books.execute(
                """
                WITH pair AS (
                    SELECT wallet_id, min(task_id::text)::uuid AS giver, max(task_id::text)::uuid AS taker
                    FROM settlement JOIN reservation USING (wallet_id, task_id)
                    WHERE outcome = 'succeeded' AND charged_credits = 42 AND evidence = 'provider'
                    GROUP BY wallet_id, project_id, model, day HAVING count(*) > 1 LIMIT 1
                )
                UPDATE settlement ended
                SET charged_credits = charged_credits + side.credits, reserved_credits = reserved_credits + side.credits,
                    price_difference_credits = price_difference_credits + side.credits
                FROM pair, LATERAL (VALUES (pair.giver, -1), (pair.taker, 1)) AS side (task_id, credits)
                WHERE ended.wallet_id = pair.wallet_id AND ended.task_id = side.task_id
                """)
        case .provider:
            try await world.sandbox.spendInStudio(-1, account: world.plan.wallets[0].slug)
        case .answer:
            try await world.books.execute(
                """
                WITH renamed AS (
                    UPDATE reservation SET client_request_id = client_request_id || 'x'
                    WHERE (wallet_id, task_id) IN (SELECT wallet_id, task_id FROM task ORDER BY task_id LIMIT 1)
                    RETURNING wallet_id, task_id, client_request_id
                )
                UPDATE client_request asked SET client_request_id = renamed.client_request_id
                FROM renamed WHERE asked.wallet_id = renamed.wallet_id AND asked.task_id = renamed.task_id
                """)
        }
    }
}
