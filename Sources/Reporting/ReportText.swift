import Accounting

/// How a share of a budget is shown.
public enum Emphasis: Sendable {
    /// As any other cell.
    case none
    /// Nearly used up.
    case warning
    /// Used up.
    case alarm
}

extension Report {
    /// The report as a table for people, with its total, prices and what else moved the balance.
    ///
    /// - Parameter style: Colours a cell; the identity where there are no colours.
    public func table(style: (String, Emphasis) -> String = { text, _ in text }) -> String {
        var table = TextTable(
            [.text(request.grouping.rawValue)] + ReportRow.columns.map { .number(title(of: $0)) }
                + [.number("used")])
        for row in rows { table.add(cells(row, name: row.name, style)) }
        table.addTotal(cells(total, name: "total", style))
        let project = request.project.map { ", project \($0)" } ?? ""
        return "Usage of wallet \(request.wallet)\(project), \(month) (\(timeZone)), in credits\n\n"
            + table.render() + "\n" + notes
    }

    /// A column's name without its unit, which the table's heading says.
    private func title(of column: String) -> String {
        column.hasSuffix("_credits") ? String(column.dropLast("_credits".count)) : column
    }

    private func cells(_ row: ReportRow, name: String, _ style: (String, Emphasis) -> String) -> [String] {
        var share = ""
        if let budget = row.budget, budget > .zero {
            let percent = Int(Double(row.used) * 100 / Double(budget.amount))
            share = style("\(percent) %", percent >= 100 ? .alarm : percent >= 80 ? .warning : .none)
        }
        return [name] + row.figures.map { Credits($0).description } + [row.budget?.description ?? "", share]
    }

    private var notes: String {
        var lines = unitPrices.map { price in
            "Unit price of \(price.model): FIXED \(price.unit?.description ?? "unknown") credits; price differences: "
                + (price.difference == .zero ? "none." : "\(price.difference) credits.")
        }
        if unitPrices.isEmpty { lines.append("No task was submitted in this month.") }
        if reading == nil {
            lines.append("Unattributed: not known; the wallet's balance was not read in this month.")
        } else if unattributed == .zero {
            lines.append("Unattributed: none; the readings of the wallet's balance agree with these books.")
        } else {
            lines.append("Unattributed: \(unattributed.unattributedSentence())")
        }
        return lines.joined(separator: "\n") + "\n"
    }
}

extension Credits {
    /// What the wallet lost by no task of ours, as a sentence; below zero it came in.
    ///
    /// - Parameter since: Since when, such as ` since the last reading`.
    public func unattributedSentence(since: String = "") -> String {
        let (amount, direction) = self < .zero ? (.zero - self, "came into") : (self, "left")
        return "\(amount) credits \(direction) the wallet\(since) by no task of this service."
    }
}
