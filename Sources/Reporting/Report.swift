import Accounting
import Postgres
import UsageReports

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// What a report is asked for.
public struct ReportRequest: Sendable {
    /// What the rows of a report stand for.
    public enum Grouping: String, CaseIterable, Sendable {
        /// One row a project.
        case project
        /// One row a model.
        case model
        /// One row a day.
        case day
    }

    /// The wallet's name.
    public let wallet: String
    /// The month, in the wallet's time zone.
    public let month: Month
    /// What a row stands for.
    public let grouping: Grouping
    /// The only project to count; nil for all.
    public let project: String?

    /// Makes a request.
    public init(wallet: String, month: Month, grouping: Grouping = .project, project: String? = nil) {
        self.wallet = wallet
        self.month = month
        self.grouping = grouping
        self.project = project
    }
}

/// The spend of a month, taken from one moment of the books.
public struct Report: Sendable {
    /// A model's price in the month.
    public struct UnitPrice: Equatable, Sendable {
        /// The provider's model id.
        public let model: String
        /// The base price at the month's end; nil where the price book has none.
        public let unit: Credits?
        /// What the month's charges differ from their prices.
        public let difference: Credits
    }

    /// What was asked for.
    public let request: ReportRequest
    /// The wallet's time zone.
    public let timeZone: String
    /// When the report was made.
    public let generatedAt: Date
    /// The rows, by name.
    public let rows: [ReportRow]
    /// Their sum.
    public let total: ReportRow
    /// The prices of the models in it.
    public let unitPrices: [UnitPrice]
    /// What left the wallet in the month by no task of ours; below zero: came in.
    public let unattributed: Credits
    /// The last reading of the balance in the month.
    public let reading: Credits?
}

/// Why there is no report.
public enum ReportError: Error, Equatable, Sendable, CustomStringConvertible {
    /// There is no such wallet.
    case unknownWallet(String)
    /// The wallet has no such project.
    case unknownProject(String)
    /// The totals do not add up, so nothing is printed.
    case doesNotAddUp(row: String)
    /// The report cannot be written to where it should go.
    case unwritable(String)
    /// A file cannot be read.
    case unreadable(String)
    /// PostgreSQL cannot answer.
    case database(PostgresError)

    /// One sentence: what is wrong, and how to mend it.
    public var description: String {
        switch self {
        case .unknownWallet(let name): "There is no wallet '\(name)'; see the wallets with: usage wallet"
        case .unknownProject(let name): "There is no project '\(name)'; see the projects with: usage project list"
        case .doesNotAddUp(let row): "The report is not printed: its row '\(row)' does not add up. Run: usage verify"
        case .unwritable(let what): "The report cannot be written: \(what)."
        case .unreadable(let what): "The file cannot be read: \(what)."
        case .database(let error): error.message
        }
    }
}

extension Report {
    /// Makes a report from one snapshot of the books.
    ///
    /// There is none unless every row adds up.
    public static func make(
        _ request: ReportRequest, from pool: ConnectionPool, at now: Date
    ) async throws(ReportError) -> Report {
        let outcome: Result<Report, ReportError>
        do throws(PostgresError) {
            let options = TransactionOptions(isolation: .repeatableRead, readOnly: true)
            outcome = try await pool.transaction(options) { (transaction) throws(PostgresError) in
                try read(request, in: transaction, at: now)
            }
        } catch {
            throw .database(error)
        }
        return try outcome.get()
    }

    private static func read(
        _ request: ReportRequest, in transaction: Transaction, at now: Date
    ) throws(PostgresError) -> Result<Report, ReportError> {
        let period = try setPeriod(
            wallet: request.wallet, month: request.month, project: request.project, in: transaction)
        if let unknown = period.unknown { return .failure(unknown) }

        let found = try transaction.query([request.grouping.query, ReportQuery.unitPrices, ReportQuery.unattributed])
        var rows: [ReportRow] = []
        for row in found[0] { rows.append(try ReportRow(row)) }
        let total = ReportRow(totalOf: rows)
        if let wrong = (rows + [total]).first(where: { !$0.addsUp }) {
            return .failure(.doesNotAddUp(row: wrong.name.isEmpty ? "total" : wrong.name))
        }
        var prices: [UnitPrice] = []
        for row in found[1] {
            prices.append(
                UnitPrice(
                    model: try row.decode("model"),
                    unit: try row.decode("unit_credits", as: Int64?.self).map(Credits.init),
                    difference: Credits(try row.decode("price_difference_credits"))))
        }
        let reading = found[2].first
        let report = Report(
            request: request, timeZone: period.timeZone, generatedAt: now, rows: rows, total: total,
            unitPrices: prices,
            unattributed: Credits(try reading?.decode("unattributed_credits") ?? 0),
            reading: try reading?.decode("reading_credits", as: Int64?.self).map(Credits.init))
        return .success(report)
    }
}

extension Report {
    /// Sets which month of which wallet and project the queries of a transaction read.
    ///
    /// - Returns: The wallet's time zone; or what there is not.
    static func setPeriod(
        wallet: String, month: Month, project: String?, in transaction: Transaction
    ) throws(PostgresError) -> (timeZone: String, unknown: ReportError?) {
        let set = try transaction.query(
            ReportQuery.setPeriod, wallet, "\(month)-01", "\(month.next)-01", project ?? "")
        guard let found = set.first else { return ("", .unknownWallet(wallet)) }
        let hasProject: Bool = try found.decode("has_project")
        return (try found.decode("time_zone"), hasProject ? nil : .unknownProject(project ?? ""))
    }
}

extension ReportRequest.Grouping {
    var query: Statement {
        switch self {
        case .project: ReportQuery.chargesByProject
        case .model: ReportQuery.chargesByModel
        case .day: ReportQuery.chargesByDay
        }
    }
}

extension Report {
    /// The month that a moment lies in, in a wallet's time zone.
    public static func currentMonth(
        of wallet: String, at now: Date, from pool: ConnectionPool
    ) async throws(ReportError) -> Month {
        do throws(PostgresError) {
            let rows = try await pool.query(ReportQuery.currentMonth, wallet, now)
            if let text = try rows.first?.decode("month", as: String.self), let month = Month(text) { return month }
        } catch {
            throw .database(error)
        }
        throw .unknownWallet(wallet)
    }
}
