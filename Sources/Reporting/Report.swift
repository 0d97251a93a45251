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
    /// Makes a report, and hands its CSV, straight from COPY, to `csv` if there is one.
    ///
    /// All is read from one snapshot, so the rows that were checked are the rows that are written. Nothing is handed out
    /// before every row was found to add up.
    public static func make(
        _ request: ReportRequest, from pool: ConnectionPool, at now: Date,
        csv: (@Sendable (UnsafeRawBufferPointer) throws(PostgresError) -> Void)? = nil
    ) async throws(ReportError) -> Report {
        let outcome: Result<Report, ReportError>
        do throws(PostgresError) {
            let options = TransactionOptions(isolation: .repeatableRead, readOnly: true)
            outcome = try await pool.transaction(options) { (transaction) throws(PostgresError) in
                try read(request, in: transaction, at: now, csv: csv)
            }
        } catch {
            throw .database(error)
        }
        return try outcome.get()
    }

    private static func read(
        _ request: ReportRequest, in transaction: Transaction, at now: Date,
        csv: (@Sendable (UnsafeRawBufferPointer) throws(PostgresError) -> Void)?
    ) throws(PostgresError) -> Result<Report, ReportError> {
        let set = try transaction.query(
            ReportQuery.setPeriod, request.wallet, "\(request.month)-01", "\(request.month.next)-01",
            request.project ?? "")
        guard let wallet = set.first else { return .failure(.unknownWallet(request.wallet)) }
        guard try wallet.decode("has_project") else { return .failure(.unknownProject(request.project ?? "")) }

        var rows: [ReportRow] = []
        for row in try transaction.query(request.grouping.query) { rows.append(try ReportRow(row)) }
        let total = ReportRow(totalOf: rows)
        if let wrong = (rows + [total]).first(where: { !$0.addsUp }) {
            return .failure(.doesNotAddUp(row: wrong.name.isEmpty ? "total" : wrong.name))
        }
        var prices: [UnitPrice] = []
        for row in try transaction.query(ReportQuery.unitPrices) {
            prices.append(
                UnitPrice(
                    model: try row.decode("model"),
                    unit: try row.decode("unit_credits", as: Int64?.self).map(Credits.init),
                    difference: Credits(try row.decode("price_difference_credits"))))
        }
        let readings = try transaction.query(ReportQuery.unattributed)
        let report = Report(
            request: request, timeZone: try wallet.decode("time_zone"), generatedAt: now, rows: rows, total: total,
            unitPrices: prices,
            unattributed: Credits(try readings.first?.decode("unattributed_credits") ?? 0),
            reading: try readings.first?.decode("reading_credits", as: Int64?.self).map(Credits.init))
        if let csv {
            _ = try transaction.copyOut(
                Statement(
                    "COPY (\(request.grouping.query.sql)) TO STDOUT WITH (FORMAT csv, HEADER)",
                    name: "COPY \(request.grouping.query.name)"), to: csv)
        }
        return .success(report)
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
