import Postgres

/// The report queries of this folder, embedded in the binary.
package enum ReportQuery {
    package static let chainHeads = text(PackageResources.chain_heads_sql)
    package static let chargesByDay = text(PackageResources.charges_by_day_sql)
    package static let chargesByModel = text(PackageResources.charges_by_model_sql)
    package static let chargesByProject = text(PackageResources.charges_by_project_sql)
    package static let currentMonth = text(PackageResources.current_month_sql)
    package static let entries = text(PackageResources.entries_sql)
    package static let setPeriod = text(PackageResources.set_period_sql)
    package static let unattributed = text(PackageResources.unattributed_sql)
    package static let unitPrices = text(PackageResources.unit_prices_sql)

    private static func text(_ sql: [UInt8]) -> Statement { Statement(String(decoding: sql, as: UTF8.self)) }
}
