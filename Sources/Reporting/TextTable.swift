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
        let titles = columns.map(\.title)
        var widths = titles.map(TextTable.width)
        for row in rows {
            for (column, cell) in row.enumerated() { widths[column] = max(widths[column], TextTable.width(cell)) }
        }
        let rule = widths.map { String(repeating: "-", count: $0) }
        var text: [UInt8] = []
        append(titles, widths, to: &text)
        append(rule, widths, to: &text)
        for (place, row) in rows.enumerated() {
            if place == ruledRow { append(rule, widths, to: &text) }
            append(row, widths, to: &text)
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// Adds a line without blanks at its end.
    private func append(_ cells: [String], _ widths: [Int], to text: inout [UInt8]) {
        for (column, cell) in cells.enumerated() {
            if column > 0 { text.append(contentsOf: "  ".utf8) }
            let padding = repeatElement(UInt8(ascii: " "), count: widths[column] - TextTable.width(cell))
            if columns[column].isNumber { text.append(contentsOf: padding) }
            text.append(contentsOf: cell.utf8)
            if !columns[column].isNumber { text.append(contentsOf: padding) }
        }
        while text.last == UInt8(ascii: " ") { text.removeLast() }
        text.append(UInt8(ascii: "\n"))
    }

    /// What a cell takes on a terminal, its colours not counted.
    private static func width(_ cell: String) -> Int {
        if cell.utf8.allSatisfy({ (0x20...0x7E).contains($0) }) { return cell.utf8.count }
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
