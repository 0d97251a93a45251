import Postgres

/// The SQL files of this folder, embedded in the binary.
public enum UsageSQL {
    /// The schema, oldest first. A test compares the list with the folder.
    public static let migrations: [Migration] = [
        migration("0001_roles.sql", PackageResources._001_roles_sql),
        migration("0002_wallet.sql", PackageResources._002_wallet_sql),
        migration("0003_project.sql", PackageResources._003_project_sql),
        migration("0004_price.sql", PackageResources._004_price_sql),
        migration("0005_budget.sql", PackageResources._005_budget_sql),
        migration("0006_task.sql", PackageResources._006_task_sql),
        migration("0007_reservation.sql", PackageResources._007_reservation_sql),
        migration("0008_settlement.sql", PackageResources._008_settlement_sql),
        migration("0009_recorded_error.sql", PackageResources._009_recorded_error_sql),
        migration("0010_wallet_reading.sql", PackageResources._010_wallet_reading_sql),
        migration("0011_day_total.sql", PackageResources._011_day_total_sql),
        migration("0012_reserve.sql", PackageResources._012_reserve_sql),
        migration("0013_accept.sql", PackageResources._013_accept_sql),
        migration("0014_settle.sql", PackageResources._014_settle_sql),
        migration("0015_record_errors.sql", PackageResources._015_record_errors_sql),
        migration("0016_record_reading.sql", PackageResources._016_record_reading_sql),
        migration("0017_administer.sql", PackageResources._017_administer_sql),
        migration("0018_task_credits.sql", PackageResources._018_task_credits_sql),
        migration("0019_entry_hash.sql", PackageResources._019_entry_hash_sql),
        migration("0020_reserve_hashed.sql", PackageResources._020_reserve_hashed_sql),
        migration("0021_accept_hashed.sql", PackageResources._021_accept_hashed_sql),
        migration("0022_settle_hashed.sql", PackageResources._022_settle_hashed_sql),
        migration("0023_record_hashed.sql", PackageResources._023_record_hashed_sql),
        migration("0024_grants.sql", PackageResources._024_grants_sql),
        migration("0025_parallel_safe.sql", PackageResources._025_parallel_safe_sql),
        migration("0026_task_credits.sql", PackageResources._026_task_credits_sql),
        migration("0027_reservation_is_the_task.sql", PackageResources._027_reservation_is_the_task_sql),
        migration("0028_reserve_in_few_statements.sql", PackageResources._028_reserve_in_few_statements_sql),
        migration("0029_plans_of_the_books.sql", PackageResources._029_plans_of_the_books_sql),
        migration("0030_indexes_of_lists.sql", PackageResources._030_indexes_of_lists_sql),
        migration("0031_month_total.sql", PackageResources._031_month_total_sql),
        migration("0032_task_queue.sql", PackageResources._032_task_queue_sql),
        migration("0033_settle_by_key.sql", PackageResources._033_settle_by_key_sql),
        migration("0034_no_compilation.sql", PackageResources._034_no_compilation_sql),
        migration("0035_hold_in_the_queue.sql", PackageResources._035_hold_in_the_queue_sql),
        migration("0036_partitions.sql", PackageResources._036_partitions_sql),
        migration("0037_one_link_a_group.sql", PackageResources._037_one_link_a_group_sql),
        migration("0038_guard_without_copies.sql", PackageResources._038_guard_without_copies_sql),
        migration("0039_sum_whole.sql", PackageResources._039_sum_whole_sql),
        migration("0040_acts_in_one_pass.sql", PackageResources._040_acts_in_one_pass_sql),
        migration("0041_errors_by_key.sql", PackageResources._041_errors_by_key_sql),
        migration("0042_rows_that_move.sql", PackageResources._042_rows_that_move_sql),
        migration("0043_what_still_counts.sql", PackageResources._043_what_still_counts_sql),
        migration("0044_queue_rows_by_place.sql", PackageResources._044_queue_rows_by_place_sql),
        migration("0045_totals_by_place.sql", PackageResources._045_totals_by_place_sql),
        migration("0046_acceptance_by_key.sql", PackageResources._046_acceptance_by_key_sql),
        migration("0047_wake_apart.sql", PackageResources._047_wake_apart_sql),
        migration("0048_two_rows_a_reservation.sql", PackageResources._048_two_rows_a_reservation_sql),
        migration("0049_one_answer_a_group.sql", PackageResources._049_one_answer_a_group_sql),
    ]

    /// What `usage verify` asks of the entries, by file: the rows that a statement returns are the differences, each with the
    /// rule that it breaks.
    public static let proofs: [(name: String, rules: [String], statement: Statement)] = [
        proof(
            "totals", ["wallet_balance", "adds_up", "budget_counter", "day_total", "month_total"],
            PackageResources.totals_sql),
        proof("admission", ["admission"], PackageResources.admission_sql),
        proof("budget", ["budget"], PackageResources.budget_sql),
        proof("task_state", ["task_state"], PackageResources.task_state_sql),
        proof("entry_number", ["entry_number"], PackageResources.entry_number_sql),
        proof("entry_hash", ["entry_hash"], PackageResources.entry_hash_sql),
    ]

    private static func proof(
        _ name: String, _ rules: [String], _ sql: [UInt8]
    ) -> (name: String, rules: [String], statement: Statement) {
        (name, rules, statement(name, sql))
    }

    private static func migration(_ fileName: String, _ sql: [UInt8]) -> Migration {
        guard let migration = try? Migration(fileName: fileName, sql: sql) else {
            preconditionFailure("\(fileName) is not the name of a migration")
        }
        return migration
    }
}

/// The statements of sql/queries, one for each file.
package enum Query {
    package static let accept = statement("accept", PackageResources.accept_sql)
    package static let beginReading = statement("begin_reading", PackageResources.begin_reading_sql)
    package static let budgets = statement("budgets", PackageResources.budgets_sql)
    package static let claim = statement("claim", PackageResources.claim_sql)
    package static let createProject = statement("create_project", PackageResources.create_project_sql)
    package static let createWallet = statement("create_wallet", PackageResources.create_wallet_sql)
    package static let extendLeases = statement("extend_leases", PackageResources.extend_leases_sql)
    package static let makePartitions = statement("make_partitions", PackageResources.make_partitions_sql)
    package static let nextDue = statement("next_due", PackageResources.next_due_sql)
    package static let prices = statement("prices", PackageResources.prices_sql)
    package static let recordErrors = statement("record_errors", PackageResources.record_errors_sql)
    package static let recordReading = statement("record_reading", PackageResources.record_reading_sql)
    package static let refusal = statement("refusal", PackageResources.refusal_sql)
    package static let reserve = statement("reserve", PackageResources.reserve_sql)
    package static let schedule = statement("schedule", PackageResources.schedule_sql)
    package static let setBudget = statement("set_budget", PackageResources.set_budget_sql)
    package static let setPrice = statement("set_price", PackageResources.set_price_sql)
    package static let settle = statement("settle", PackageResources.settle_sql)
    package static let storeRequest = statement("store_request", PackageResources.store_request_sql)
    package static let task = statement("task", PackageResources.task_sql)
    package static let taskEvents = statement("task_events", PackageResources.task_events_sql)
    package static let taskStates = statement("task_states", PackageResources.task_states_sql)
    package static let tasks = statement("tasks", PackageResources.tasks_sql)
    package static let wake = statement("wake", PackageResources.wake_sql)
    package static let wallet = statement("wallet", PackageResources.wallet_sql)
}

/// The statement of an embedded file.
private func statement(_ name: String, _ sql: [UInt8]) -> Statement {
    Statement(String(decoding: sql, as: UTF8.self), name: name)
}
