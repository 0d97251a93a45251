import Accounting

extension Report {
    /// The report as CSV with a header and without a total, for spreadsheets. Source: RFC 4180, with lines that end in LF.
    public var csv: String {
        let header = ([request.grouping.rawValue] + ReportRow.columns).joined(separator: ",") + "\n"
        return rows.reduce(into: header) { text, row in
            text += quoted(row.name)
            for figure in row.figures { text += ",\(figure)" }
            text += ",\(row.budget.map { "\($0.amount)" } ?? "")\n"
        }
    }

    /// A text as a cell: in quotes where it holds what ends one.
    private func quoted(_ text: String) -> String {
        guard text.utf8.contains(where: { Array(#"",\#n\#r"#.utf8).contains($0) }) else { return text }
        return "\"" + text.replacing("\"", with: "\"\"") + "\""
    }
}
