/// A calendar month, in the time zone of whoever asks: a wallet's, for spend.
public struct Month: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The year, 2000 to 9998.
    public let year: Int
    /// The month of the year, 1 to 12.
    public let month: Int

    /// Makes a month, or nothing where there is none.
    public init?(year: Int, month: Int) {
        guard (2000...9998).contains(year), (1...12).contains(month) else { return nil }
        self.year = year
        self.month = month
    }

    /// Reads a month written as `2026-05`.
    public init?(_ text: some StringProtocol) {
        let bytes = Array(text.utf8)
        guard bytes.count == 7, bytes[4] == UInt8(ascii: "-") else { return nil }
        let digits = (bytes[..<4] + bytes[5...]).map { Int($0) - 48 }
        guard digits.allSatisfy((0...9).contains) else { return nil }
        self.init(year: digits[..<4].reduce(0) { $0 * 10 + $1 }, month: digits[4] * 10 + digits[5])
    }

    /// The month as `2026-05`.
    public var description: String { "\(year)-\(month < 10 ? "0" : "")\(month)" }

    /// Orders months by time.
    public static func < (left: Month, right: Month) -> Bool { (left.year, left.month) < (right.year, right.month) }
}
