import Postgres

/// The report queries of this folder, embedded in the binary.
package enum ReportQuery {
    package static let chainHeads = text("chain_heads", PackageResources.chain_heads_sql)
    package static let chargesByDay = text("charges_by_day", PackageResources.charges_by_day_sql)
    package static let chargesByModel = text("charges_by_model", PackageResources.charges_by_model_sql)
    package static let chargesByProject = text("charges_by_project", PackageResources.charges_by_project_sql)
    package static let entries = text("entries", PackageResources.entries_sql)
    package static let setPeriod = text("set_period", PackageResources.set_period_sql)
    package static let setTasks = text("set_tasks", PackageResources.set_tasks_sql)
    package static let tasksOfPeriod = text("tasks_of_period", PackageResources.tasks_of_period_sql)
    package static let unattributed = text("unattributed", PackageResources.unattributed_sql)
    package static let unitPrices = text("unit_prices", PackageResources.unit_prices_sql)

    private static func text(_ name: String, _ sql: [UInt8]) -> Statement {
        Statement(String(decoding: sql, as: UTF8.self), name: name)
    }
}
