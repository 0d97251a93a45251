import Foundation
import Postgres

/// What our books say, read as they stand.
struct OurBooks: Sendable {
    struct Wallet: Sendable {
        let slug: String
        let timeZone: String
        let charged: Int
        let held: Int
        let waiting: Int
        /// What the provider took and did not give back, as far as our books know.
        let net: Int
        let reading: Int?
        let unattributed: Int
    }

    struct Task: Sendable {
        let id: String
        let wallet: String
        let clientRequestID: String
        let amount: Int
        let charged: Int
        let held: Int
        let day: String
        let reservedAt: Date
        let body: String?
        let bodySHA256: String?
        let providerTaskID: String?
        let outcome: String?
        let evidence: String?
        let resolvedBy: String?
        let settledCharge: Int?
        /// Whether the provider's acceptance was booked after the settlement.
        let isAcceptedLate: Bool
        /// Whether an error with a code of the provider's, or of an upload, stands behind a rejection.
        let hasRecordedNo: Bool
    }

    struct Refusal: Sendable {
        let id: String
        let wallet: String
        let clientRequestID: String
        let amount: Int
        let day: String
    }

    /// Refusals by wallet and month, as `main 2028-02`.
    var refusedByMonth: [String: Int] {
        Dictionary(refusals.map { ("\($0.wallet) \($0.day.prefix(7))", 1) }) { $0 + $1 }
    }

    let wallets: [Wallet]
    let tasks: [Task]
    let refusals: [Refusal]
    /// What happened, for the summary: guard misses, corrections, errors by code.
    let events: [String: Int]

    init(from world: World) async throws {
        wallets = try await world.read(
            """
            SELECT slug, time_zone, charged_credits, held_credits, waiting_credits,
                   taken_credits - returned_credits AS net, reading_credits, unattributed_credits
            FROM wallet JOIN wallet_balance USING (wallet_id) ORDER BY slug
            """
        ).map { row in
            Wallet(
                slug: try row.decode("slug"), timeZone: try row.decode("time_zone"),
                charged: try row.credits("charged_credits") ?? 0, held: try row.credits("held_credits") ?? 0,
                waiting: try row.credits("waiting_credits") ?? 0, net: try row.credits("net") ?? 0,
                reading: try row.credits("reading_credits"), unattributed: try row.credits("unattributed_credits") ?? 0)
        }
        tasks = try await world.read(OurBooks.everyTask).map { try Task($0) }
        refusals = try await world.read(
            """
            SELECT task_id::text AS id, slug AS wallet, client_request_id, amount_credits, day::text AS day
            FROM refusal JOIN wallet USING (wallet_id)
            """
        ).map { row in
            Refusal(
                id: try row.decode("id"), wallet: try row.decode("wallet"),
                clientRequestID: try row.decode("client_request_id"), amount: try row.credits("amount_credits") ?? 0,
                day: try row.decode("day"))
        }
        var events: [String: Int] = [:]
        for row in try await world.read(OurBooks.everyEvent) {
            events[try row.decode("event")] = Int(try row.decode("n", as: Int64.self))
        }
        self.events = events
    }

    private static let everyEvent: Statement = """
        SELECT 'guard misses' AS event, sum(guard_misses)::bigint AS n FROM wallet_balance
        UNION ALL SELECT 'successes after a person''s release', count(*)
        FROM correction later JOIN settlement ended USING (wallet_id, task_id)
        WHERE evidence = 'person' AND ended.charged_credits = 0 AND later.charged_credits > 0
        UNION ALL SELECT 'corrections', count(*) FROM correction
        UNION ALL SELECT 'failures that cost something', count(*) FROM settlement
        WHERE outcome = 'failed' AND charged_credits > 0
        UNION ALL SELECT 'ended by a person', count(*) FROM settlement WHERE evidence = 'person'
        UNION ALL SELECT 'months with holds', count(DISTINCT (wallet_id, date_trunc('month', day))) FROM reservation
        UNION ALL SELECT 'error: ' || act || ' ' || code, count(*) FROM recorded_error GROUP BY 1
        """

    private static let everyTask: Statement = """
        SELECT task.task_id::text AS id, wallet.slug AS wallet, task.client_request_id, hold.amount_credits,
               credits.charged_credits, credits.held_credits, hold.day::text AS day, hold.reserved_at,
               convert_from(request.body, 'UTF8') AS body, encode(sha256(request.body), 'hex') AS sha256,
               taken.provider_task_id, ended.outcome, ended.evidence, ended.resolved_by,
               ended.charged_credits AS settled_charge,
               coalesce(taken.entry_number > ended.entry_number, false) AS is_accepted_late,
               EXISTS (SELECT FROM recorded_error error
                       WHERE error.wallet_id = task.wallet_id AND error.task_id = task.task_id
                           AND error.act IN ('create', 'upload') AND error.code = ended.error_code
                           AND error.http_status IS NOT NULL) AS has_no
        FROM task
        JOIN wallet USING (wallet_id)
        JOIN reservation hold USING (wallet_id, task_id)
        JOIN task_credits credits USING (wallet_id, task_id)
        LEFT JOIN client_request request USING (wallet_id, task_id)
        LEFT JOIN acceptance taken USING (wallet_id, task_id)
        LEFT JOIN settlement ended USING (wallet_id, task_id)
        ORDER BY 1
        """
}

extension OurBooks.Task {
    fileprivate init(_ row: Row) throws {
        id = try row.decode("id")
        wallet = try row.decode("wallet")
        clientRequestID = try row.decode("client_request_id")
        amount = try row.credits("amount_credits") ?? 0
        charged = try row.credits("charged_credits") ?? 0
        held = try row.credits("held_credits") ?? 0
        day = try row.decode("day")
        reservedAt = try row.decode("reserved_at")
        body = try row.decode("body")
        bodySHA256 = try row.decode("sha256")
        providerTaskID = try row.decode("provider_task_id")
        outcome = try row.decode("outcome")
        evidence = try row.decode("evidence")
        resolvedBy = try row.decode("resolved_by")
        settledCharge = try row.credits("settled_charge")
        isAcceptedLate = try row.decode("is_accepted_late")
        hasRecordedNo = try row.decode("has_no")
    }
}

extension Row {
    /// A number of credits, or null.
    fileprivate func credits(_ column: String) throws -> Int? { try decode(column, as: Int64?.self).map(Int.init) }
}
