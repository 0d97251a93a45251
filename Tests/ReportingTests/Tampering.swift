import Testing

/// A change that no role of the service may make, and the words with which it is found.
struct Tampering: Sendable, CustomTestStringConvertible {
    let rule: String
    let finding: String
    let sql: String

    var testDescription: String { "\(rule): \(finding)" }

    private init(_ rule: String, _ finding: String, _ sql: String) {
        self.rule = rule
        self.finding = finding
        self.sql = sql
    }

    static let all =
        balances + entries + admissions + budgets + dayTotals + monthTotals + states + orphans + numbers

    private static let studio = "(SELECT wallet_id FROM wallet WHERE slug = 'studio')"
    private static let idle = "(SELECT project_id FROM project WHERE slug = 'idle')"
    private static let advert = "(SELECT project_id FROM project WHERE slug = 'advert')"
    private static let endedTask =
        "(SELECT task_id FROM settlement WHERE outcome = 'succeeded' ORDER BY entry_number LIMIT 1)"
    private static let openTask = "(SELECT task_id FROM task_work WHERE state = 'accepted' LIMIT 1)"
    private static let queuedTask = "(SELECT task_id FROM task_work WHERE provider_task_id IS NULL LIMIT 1)"
    private static let queueAgain =
        "SELECT leave_groups(wallet_id, task_ids), queue_again(wallet_id, task_ids) FROM queued_group;"

    private static func balance(_ finding: String, _ change: String) -> Tampering {
        Tampering(
            "wallet_balance", "studio: \(finding)", "UPDATE wallet_balance SET \(change) WHERE wallet_id = \(studio)")
    }

    private static let balances = [
        balance("charged_credits", "charged_credits = charged_credits + 1, reserved_credits = reserved_credits + 1"),
        balance("reserved_credits", "released_credits = released_credits + 1, reserved_credits = reserved_credits + 1"),
        balance("released_credits", "released_credits = released_credits + 1, reserved_credits = reserved_credits + 1"),
        balance("held_credits", "held_credits = held_credits + 1, reserved_credits = reserved_credits + 1"),
        balance("waiting_credits", "waiting_credits = waiting_credits - 1"),
        balance("taken less returned", "taken_credits = taken_credits - 1"),
        balance("unattributed_credits", "unattributed_credits = unattributed_credits + 1"),
        balance("guard_misses", "guard_misses = 1"),
        balance("reading_credits", "reading_credits = reading_credits + 1"),
        balance("reading_entry_number", "reading_entry_number = 1"),
        Tampering(
            "wallet_balance", "main: reading_credits: 7",
            """
            UPDATE wallet_balance SET reading_credits = 7, reading_entry_number = 1, reading_seen_number = 0,
                reading_taken_credits = 0, read_at = now() WHERE wallet_id <> \(studio)
            """),
    ]

    private static let admissions = [
        Tampering(
            "admission", "month of advert",
            "UPDATE budget_change SET limit_credits = 83 WHERE project_id = \(advert) AND period = 'month'")
    ]

    private static let entries = [
        Tampering(
            "wallet_balance", "studio: charged_credits",
            """
            UPDATE settlement SET charged_credits = charged_credits - 1, released_credits = released_credits + 1
            WHERE task_id = \(endedTask)
            """),
        Tampering(
            "wallet_balance", "studio: held_credits",
            "\(queueAgain) UPDATE reservation SET amount_credits = amount_credits - 1 WHERE task_id = \(queuedTask)"),
        Tampering(
            "wallet_balance", "studio: taken less returned",
            "UPDATE acceptance SET reserved_credits = reserved_credits - 1 WHERE task_id = \(openTask)"),
        Tampering(
            "wallet_balance", "studio: unattributed_credits", "UPDATE wallet_reading SET unattributed_credits = 0"),
        Tampering(
            "wallet_balance", "studio: guard_misses",
            "UPDATE recorded_error SET code = 'insufficient_credits'"),
    ]

    private static let budgets = [
        Tampering(
            "budget", "studio: advert, month: 1", "UPDATE budget SET limit_credits = 1 WHERE project_id = \(advert)"),
        Tampering("budget", "studio: idle, month: none", "DELETE FROM budget WHERE project_id = \(idle)"),
        Tampering("budget", "studio: idle, day: 5", "INSERT INTO budget VALUES (\(studio), \(idle), 'day', 5)"),
        Tampering(
            "budget_counter", "trailer, month from 2026-05-01: held 1201",
            "UPDATE budget_counter SET held_credits = held_credits + 1"),
        Tampering(
            "budget_counter", "advert, month from 2026-05-01: held 42, charged 43",
            "UPDATE budget_counter SET charged_credits = charged_credits + 1"),
        Tampering(
            "budget_counter", "trailer, month from 2026-05-01",
            "UPDATE reservation SET day = day + 1 WHERE day = '2026-05-31'"),
    ]

    private static let dayTotals = [
        Tampering("day_total", "2026-05-13, trailer", "UPDATE day_total SET errors = 0"),
        Tampering("day_total", "2026-05-14, advert", "UPDATE day_total SET refused = 1 WHERE refused = 2"),
        Tampering(
            "day_total", "2026-05-12, trailer",
            "UPDATE day_total SET succeeded = succeeded - 1, failed = failed + 1 WHERE day = '2026-05-12'"),
        Tampering(
            "day_total", "2026-05-12, trailer", "UPDATE day_total SET tasks = tasks + 1 WHERE day = '2026-05-12'"),
        Tampering(
            "day_total", "2026-05-20, trailer, veo-3", "UPDATE day_total SET price_difference_credits = 0"),
        Tampering("day_total", "trailer, veo-3: none", "DELETE FROM day_total WHERE model = 'veo-3'"),
        Tampering(
            "day_total", "idle, veo-3",
            """
            INSERT INTO day_total (wallet_id, day, project_id, model)
            VALUES (\(studio), '2026-05-01', \(idle), 'veo-3')
            """),
        Tampering(
            "day_total", "2026-05-20, trailer, veo-3",
            """
            UPDATE day_total SET charged_credits = charged_credits - 1, released_credits = released_credits + 1
            WHERE charged_credits = 1250
            """),
    ]

    private static let monthTotals = [
        Tampering("month_total", "2026-05-01, trailer, kling", "UPDATE month_total SET errors = errors + 1"),
        Tampering(
            "month_total", "2026-05-01, trailer, veo-3",
            """
            UPDATE month_total SET charged_credits = charged_credits - 1, released_credits = released_credits + 1
            WHERE model = 'veo-3'
            """),
        Tampering("month_total", "2026-05-01, advert, kling-v2-5-turbo-pro: none", "DELETE FROM month_total"),
        Tampering(
            "month_total", "2026-05-01, trailer", "UPDATE day_total SET sealed = false WHERE day = '2026-05-12'"),
        Tampering("month_total", "2026-05-01, trailer", "UPDATE day_total SET sealed = true"),
    ]

    private static let states = [
        Tampering(
            "task_state", "its request was answered with another task",
            "UPDATE client_request SET task_id = gen_random_uuid() WHERE task_id = \(endedTask)"),
        Tampering(
            "task_state", "its request was answered with another task",
            "DELETE FROM client_request WHERE task_id = \(endedTask)"),
        Tampering(
            "task_state", "held, and no worker has it",
            "\(queueAgain) DELETE FROM task_work WHERE task_id = \(queuedTask)"),
        Tampering("task_state", "held, and no worker has it", "DELETE FROM queued_group"),
        again(openTask), again(endedTask),
        Tampering(
            "task_state", "2 places in the queue",
            """
            INSERT INTO queued_group
            SELECT wallet_id, last_entry_number + 1000, due_at, task_ids FROM queued_group LIMIT 1
            """),
        Tampering(
            "task_state", "in the queue for no reservation",
            "INSERT INTO queued_group VALUES (\(studio), 1000, now(), ARRAY[gen_random_uuid()])"),
        Tampering(
            "task_state", "settled without a settlement",
            "UPDATE task_work SET state = 'settled' WHERE task_id = \(openTask)"),
        Tampering(
            "task_state", "open after its settlement",
            """
            INSERT INTO task_work (wallet_id, task_id, state, project_id, model, day, amount_credits)
            SELECT wallet_id, task_id, 'queued', project_id, model, day, amount_credits
            FROM reservation WHERE task_id = \(endedTask)
            """),
        Tampering(
            "task_state", "accepted without an acceptance",
            """
            \(queueAgain)
            UPDATE task_work SET state = 'accepted', first_sent_at = now(), provider_task_id = 'x'
            WHERE task_id = \(queuedTask)
            """),
        Tampering(
            "task_state", "to be sent after its acceptance",
            "UPDATE task_work SET state = 'queued' WHERE task_id = \(openTask)"),
        Tampering(
            "task_state", "in the queue with another hold",
            "\(queueAgain) UPDATE task_work SET amount_credits = amount_credits + 1 WHERE task_id = \(queuedTask)"),
        Tampering(
            "task_state", "in the queue with another acceptance",
            "UPDATE task_work SET reserved_credits = reserved_credits - 1 WHERE task_id = \(openTask)"),
        Tampering(
            "task_state", "accepted without a stored request",
            "UPDATE client_request SET body = NULL WHERE task_id = \(endedTask)"),
        Tampering(
            "task_state", "rejected after its acceptance",
            """
            UPDATE settlement SET outcome = 'rejected', charged_credits = 0, released_credits = reserved_credits
            WHERE task_id = \(endedTask)
            """),
    ]

    /// A task that a worker has, or has brought to its end, is put among those that none has taken yet.
    private static func again(_ task: String) -> Tampering {
        Tampering(
            "task_state", "to be taken by a worker again",
            "INSERT INTO queued_group VALUES (\(studio), 1000, now(), ARRAY[\(task)])")
    }

    private static let orphans = [
        orphan("an acceptance of no reservation", endedTask),
        orphan("a settlement of no reservation", endedTask),
        orphan("a request of no reservation", endedTask),
        orphan("work for no reservation", openTask),
        Tampering(
            "task_state", "an error of no reservation",
            "UPDATE recorded_error SET task_id = gen_random_uuid() WHERE task_id IS NOT NULL"),
        Tampering(
            "task_state", "a reservation at no price",
            "UPDATE reservation SET price_id = -1 WHERE task_id = \(endedTask)"),
        Tampering(
            "task_state", "2 settlements",
            """
            ALTER TABLE settlement DROP CONSTRAINT settlement_one_per_reservation CASCADE;
            INSERT INTO settlement SELECT s.* FROM settlement s WHERE task_id = \(endedTask)
            """),
        Tampering(
            "task_state", "a refused request that has a task",
            "UPDATE refusal SET task_id = \(endedTask) WHERE task_id = (SELECT task_id FROM refusal LIMIT 1)"),
    ]

    /// A reservation that is taken out from under the rows that stand on it.
    private static func orphan(_ finding: String, _ task: String) -> Tampering {
        Tampering("task_state", finding, "DELETE FROM reservation WHERE task_id = \(task)")
    }

    private static let numbers = [
        Tampering("entry_number", "studio: entries", "DELETE FROM recorded_error"),
        Tampering("entry_number", "studio: entries", "DELETE FROM refusal"),
        Tampering(
            "adds_up", "trailer, month from 2026-04-01: reserved",
            """
            ALTER TABLE settlement DROP CONSTRAINT settlement_adds_up;
            UPDATE settlement SET released_credits = released_credits + 1 WHERE task_id = \(endedTask)
            """),
        Tampering(
            "entry_number", "studio: entries",
            "UPDATE wallet_balance SET last_entry_number = last_entry_number + 1 WHERE wallet_id = \(studio)"),
        Tampering(
            "entry_number", "studio: entries",
            "INSERT INTO budget_change VALUES (\(studio), 1000, \(idle), 'day', 5, now(), now())"),
        Tampering(
            "entry_number", "main: entries",
            "UPDATE wallet_balance SET last_entry_number = 1 WHERE wallet_id <> \(studio)"),
    ]
}
