import Accounting
import Foundation
import Ledger
import Postgres

/// One entry of a wallet, as far as admissions go.
struct BookEntry {
    enum Kind {
        case reservation, refusal, acceptance, settlement, reading
        case budget(BudgetPeriod)
    }

    let number: Int64
    let kind: Kind
    /// The nil id where the entry is of no task.
    let task: TaskID
    let project: String
    let day: String
    let at: Date
    let amount: Int64
    let limit: Int64?
    /// For a reading, the newest entry when it was asked for; for a reservation, what the wallet holds with it.
    let seen: Int64
    let reasons: JSONB?

    /// Reads all of a wallet, in their order, in one statement.
    static func all(of wallet: Wallet, in pool: ConnectionPool) async throws -> [BookEntry] {
        try await pool.query(query, wallet.id).map { row in try BookEntry(row) }
    }

    private static let query: Statement = """
        SELECT entry_number, kind, task_id, coalesce(slug, ''), coalesce(day::text, ''), at, amount, seen, reasons, period
        FROM (
            SELECT entry_number, 'reservation' AS kind, task_id, project_id, day, reserved_at AS at,
                   amount_credits AS amount, wallet_held_credits AS seen, NULL::jsonb AS reasons, NULL AS period
            FROM reservation WHERE wallet_id = $1
            UNION ALL
            SELECT entry_number, 'refusal', task_id, project_id, day, refused_at, amount_credits, 0, reasons, NULL
            FROM refusal WHERE wallet_id = $1
            UNION ALL
            SELECT entry_number, 'acceptance', task_id, NULL, NULL, accepted_at, reserved_credits, 0, NULL, NULL
            FROM acceptance WHERE wallet_id = $1
            UNION ALL
            SELECT entry_number, 'settlement', task_id, NULL, NULL, settled_at, charged_credits, 0, NULL, NULL
            FROM settlement WHERE wallet_id = $1
            UNION ALL
            SELECT entry_number, 'reading', NULL, NULL, day, read_at, current_credits, seen_entry_number, NULL, NULL
            FROM wallet_reading WHERE wallet_id = $1
            UNION ALL
            SELECT entry_number, 'budget', NULL, project_id, NULL, changed_at, limit_credits, 0, NULL, period
            FROM budget_change WHERE wallet_id = $1
        ) AS entry LEFT JOIN project ON project.wallet_id = $1 AND project.project_id = entry.project_id
        ORDER BY entry_number
        """

    private init(_ row: Row) throws {
        number = try row.decode(at: 0)
        task = TaskID(
            try row.decode(at: 2, as: UUID?.self) ?? UUID(uuid: (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)))
        project = try row.decode(at: 3)
        day = try row.decode(at: 4)
        at = try row.decode(at: 5)
        limit = try row.decode(at: 6)
        amount = limit ?? 0
        seen = try row.decode(at: 7)
        reasons = try row.decode(at: 8)
        switch try row.decode(at: 1, as: String.self) {
        case "reservation": kind = .reservation
        case "refusal": kind = .refusal
        case "acceptance": kind = .acceptance
        case "settlement": kind = .settlement
        case "reading": kind = .reading
        default:
            guard let period = BudgetPeriod(rawValue: try row.decode(at: 9)) else {
                throw PostgresError(reason: .decoding, message: "a period that is not known")
            }
            kind = .budget(period)
        }
    }

    /// The answer that the entry gave.
    func outcome() throws -> ReservationOutcome? {
        switch kind {
        case .reservation:
            .reserved(Reservation(taskID: task, amount: Credits(amount), reservedAt: at))
        case .refusal:
            .refused(
                Refusal(
                    taskID: task, amount: Credits(amount), refusedAt: at,
                    reasons: try JSONDecoder().decode([RefusalReason].self, from: Data((reasons?.text ?? "").utf8))))
        default: nil
        }
    }
}
