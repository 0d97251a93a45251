import Accounting

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

extension Report {
    /// The report as JSON, keys in a fixed order.
    public var json: String {
        let lines = rows.map { "    " + object($0, name: $0.name) }
        let prices = unitPrices.map { price in
            "    {\"model\": \(quoted(price.model)), \"unit_credits\": \(price.unit.map { "\($0.amount)" } ?? "null"), "
                + "\"price_difference_credits\": \(price.difference.amount)}"
        }
        return """
            {
              "wallet": \(quoted(request.wallet)),
              "month": \(quoted(month.description)),
              "time_zone": \(quoted(timeZone)),
              "generated_at": \(quoted(generatedAt.ISO8601Format())),
              "by": \(quoted(request.grouping.rawValue)),
              "project": \(request.project.map(quoted) ?? "null"),
              "rows": [\(list(lines))],
              "total": \(object(total, name: nil)),
              "unit_prices": [\(list(prices))],
              "unattributed_credits": \(unattributed.amount),
              "reading_credits": \(reading.map { "\($0.amount)" } ?? "null")
            }

            """
    }

    private func list(_ lines: [String]) -> String {
        lines.isEmpty ? "" : "\n" + lines.joined(separator: ",\n") + "\n  "
    }

    private func object(_ row: ReportRow, name: String?) -> String {
        var members = name.map { ["\"\(request.grouping.rawValue)\": \(quoted($0))"] } ?? []
        members += zip(ReportRow.columns, row.figures).map { "\"\($0)\": \($1)" }
        members.append("\"budget_credits\": \(row.budget.map { "\($0.amount)" } ?? "null")")
        return "{" + members.joined(separator: ", ") + "}"
    }

    /// A JSON string.
    private func quoted(_ text: String) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .withoutEscapingSlashes
        guard let data = try? encoder.encode(text) else { preconditionFailure("a text is always JSON") }
        return String(decoding: data, as: UTF8.self)
    }
}
