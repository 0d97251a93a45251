import Accounting
import Postgres

/// The spend of one project, model or day.
public struct ReportRow: Equatable, Sendable {
    /// The names of the columns after the first, the same in the table, CSV and JSON.
    public static let columns = [
        "tasks", "succeeded", "failed", "open", "refused", "errors", "reserved_credits", "charged_credits",
        "released_credits", "held_credits", "budget_credits",
    ]

    /// The project's, model's or day's name; empty in a total.
    public let name: String
    /// The figures in the order of ``columns``, without the budget.
    public let figures: [Int64]
    /// The month budget at the period's end; nil where there is none, as for a model or a day.
    public let budget: Credits?

    /// Reads a row of which the first column is the name and the others are ``columns``.
    init(_ row: Row) throws(PostgresError) {
        name = try row.decode(at: 0)
        let count = ReportRow.columns.count - 1
        var figures: [Int64] = []
        figures.reserveCapacity(count)
        for place in 1...count { figures.append(try row.decode(at: place)) }
        self.figures = figures
        budget = try row.decode(at: count + 1, as: Int64?.self).map(Credits.init)
    }

    /// The total of some rows. Its budget is the sum of the rows' budgets, and nil if one has none.
    init(totalOf rows: [ReportRow]) {
        name = ""
        figures = rows.reduce(into: Array(repeating: 0, count: ReportRow.columns.count - 1)) { sums, row in
            for place in sums.indices { sums[place] += row.figures[place] }
        }
        let budgets = rows.compactMap(\.budget)
        budget = budgets.count == rows.count && !rows.isEmpty ? budgets.reduce(.zero, +) : nil
    }

    /// A figure by the name of its column.
    public func figure(_ column: String) -> Int64 {
        guard let place = ReportRow.columns.firstIndex(of: column), place < figures.count else {
            preconditionFailure("\(column) is not a figure of a report")
        }
        return figures[place]
    }

    /// Charged and held.
    var used: Int64 { figure("charged_credits") + figure("held_credits") }

    /// Whether its credits and its tasks add up.
    var addsUp: Bool {
        figure("reserved_credits") == figure("charged_credits") + figure("released_credits") + figure("held_credits")
            && figure("tasks") == figure("succeeded") + figure("failed") + figure("open")
            && figure("open") >= 0 && figure("held_credits") >= 0
    }
}
