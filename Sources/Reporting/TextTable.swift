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

    private struct Cell {
        let text: String
        let width: Int

        init(_ text: String) {
            self.text = text
            width = TextTable.width(text)
        }
    }

    private let columns: [Column]
    private var widths: [Int]
    private var rows: [[Cell]] = []
    private var ruledRow: Int?

    /// Makes a table without rows.
    public init(_ columns: [Column]) {
        self.columns = columns
        widths = columns.map { TextTable.width($0.title) }
    }

    /// Adds a row: a cell for each column.
    public mutating func add(_ cells: [String]) {
        precondition(cells.count == columns.count, "a row has a cell for each column")
        let row = cells.map(Cell.init)
        for column in widths.indices { widths[column] = max(widths[column], row[column].width) }
        rows.append(row)
    }

    /// Adds a row under a line.
    public mutating func addTotal(_ cells: [String]) {
        ruledRow = rows.count
        add(cells)
    }

    /// The table as lines of text, each ended.
    public func render() -> String {
        let rule = widths.map { Cell(String(repeating: "-", count: $0)) }
        var text: [UInt8] = []
        append(columns.map { Cell($0.title) }, to: &text)
        append(rule, to: &text)
        for (place, row) in rows.enumerated() {
            if place == ruledRow { append(rule, to: &text) }
            append(row, to: &text)
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// Adds a line without blanks at its end.
    private func append(_ row: [Cell], to text: inout [UInt8]) {
        func pad(_ count: Int) { for _ in 0..<count { text.append(UInt8(ascii: " ")) } }
        for (column, cell) in row.enumerated() {
            let padding = widths[column] - cell.width
            if columns[column].isNumber { pad(padding) }
            text.append(contentsOf: cell.text.utf8)
            pad(columns[column].isNumber ? 2 : padding + 2)
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
