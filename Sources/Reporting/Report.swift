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
    /// The month, in the wallet's time zone; nil for the one that it is there.
    public let month: Month?
    /// What a row stands for.
    public let grouping: Grouping
    /// The only project to count; nil for all.
    public let project: String?

    /// Makes a request.
    public init(wallet: String, month: Month? = nil, grouping: Grouping = .project, project: String? = nil) {
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
    /// The month that it is of.
    public let month: Month
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
    /// Makes a report from one snapshot of the books, in one round trip.
    ///
    /// There is none unless every row adds up.
    public static func make(
        _ request: ReportRequest, from pool: ConnectionPool, at now: Date
    ) async throws(ReportError) -> Report {
        let found: [Rows]
        do throws(PostgresError) {
            found = try await pool.snapshot([
                ReportPeriod.set(wallet: request.wallet, month: request.month, at: now, project: request.project),
                PipelineStep(request.grouping.query), PipelineStep(ReportQuery.unitPrices),
                PipelineStep(ReportQuery.unattributed),
            ])
        } catch {
            throw .database(error)
        }
        let period = try ReportPeriod(found[0], wallet: request.wallet, project: request.project)
        let report: Report
        do throws(PostgresError) {
            report = try Report(request, of: period, at: now, rows: found[1], prices: found[2], readings: found[3])
        } catch {
            throw .database(error)
        }
        if let wrong = (report.rows + [report.total]).first(where: { !$0.addsUp }) {
            throw .doesNotAddUp(row: wrong.name.isEmpty ? "total" : wrong.name)
        }
        return report
    }

    private init(
        _ request: ReportRequest, of period: ReportPeriod, at now: Date, rows: Rows, prices: Rows, readings: Rows
    ) throws(PostgresError) {
        self.request = request
        month = period.month
        timeZone = period.timeZone
        generatedAt = now
        var found: [ReportRow] = []
        for row in rows { found.append(try ReportRow(row)) }
        self.rows = found
        total = ReportRow(totalOf: found)
        var units: [UnitPrice] = []
        for row in prices {
            units.append(
                UnitPrice(
                    model: try row.decode("model"),
                    unit: try row.decode("unit_credits", as: Int64?.self).map(Credits.init),
                    difference: Credits(try row.decode("price_difference_credits"))))
        }
        unitPrices = units
        let reading = readings.first
        unattributed = Credits(try reading?.decode("unattributed_credits") ?? 0)
        self.reading = try reading?.decode("reading_credits", as: Int64?.self).map(Credits.init)
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
