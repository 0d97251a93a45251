/// A table for people: columns line up, numbers to the right.
public struct TextTable: Sendable {
    /// A column of a table.
    public struct Column: Sendable {
        let title: String
        let isNumber: Bool

        /// A column of texts.
        public static func text(_ title: String) -> Column { Column(title: title, isNumber: false) }

        /// A column of numbers.
        public static func number(_ title: String) -> Column { Column(title: title, isNumber: true) }
    }

    private let columns: [Column]
    private var rows: [[String]] = []
    private var ruledRow: Int?

    /// Makes a table without rows.
    public init(_ columns: [Column]) { self.columns = columns }

    /// Adds a row: a cell for each column.
    public mutating func add(_ cells: [String]) {
        precondition(cells.count == columns.count, "a row has a cell for each column")
        rows.append(cells)
    }

    /// Adds a row under a line.
    public mutating func addTotal(_ cells: [String]) {
        ruledRow = rows.count
        add(cells)
    }

    /// The table as lines of text, each ended.
    public func render() -> String {
        let widths = columns.indices.map { column in
            ([columns[column].title] + rows.map { $0[column] }).map(TextTable.width).max() ?? 0
        }
        let rule = widths.map { String(repeating: "-", count: $0) }.joined(separator: "  ")
        var lines = [line(columns.map(\.title), widths), rule]
        for (place, row) in rows.enumerated() {
            if place == ruledRow { lines.append(rule) }
            lines.append(line(row, widths))
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private func line(_ cells: [String], _ widths: [Int]) -> String {
        var line = ""
        for (column, cell) in cells.enumerated() {
            let padding = String(repeating: " ", count: widths[column] - TextTable.width(cell))
            line += (column == 0 ? "" : "  ") + (columns[column].isNumber ? padding + cell : cell + padding)
        }
        while line.last == " " { line.removeLast() }
        return line
    }

    /// What a cell takes on a terminal, its colours not counted.
    private static func width(_ cell: String) -> Int {
        var count = 0
        var isEscape = false
        for character in cell {
            if character == "\u{1B}" { isEscape = true }
            if !isEscape { count += 1 }
            if isEscape, character == "m" { isEscape = false }
        }
        return count
    }
}
