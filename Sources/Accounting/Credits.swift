/// A whole number of provider credits.
///
/// Sums are checked: one beyond 64 bits stops the process, as it can only come from a bug; amounts from outside are
/// bounded where they come in.
public struct Credits: Hashable, Comparable, Sendable {
    /// The number of credits; below zero only in differences.
    public let amount: Int64

    /// Makes an amount of whole credits.
    public init(_ amount: Int64) { self.amount = amount }

    /// No credits.
    public static let zero = Credits(0)

    /// The largest limit or balance that is accepted from outside, 10^15 credits.
    public static let largestAccepted = Credits(1_000_000_000_000_000)

    /// Makes an amount of whole credits.
    public static func credits(_ amount: Int64) -> Credits { Credits(amount) }

    /// Adds two amounts.
    public static func + (left: Credits, right: Credits) -> Credits { Credits(left.amount + right.amount) }

    /// Takes one amount off another.
    public static func - (left: Credits, right: Credits) -> Credits { Credits(left.amount - right.amount) }

    /// Orders amounts by their number.
    public static func < (left: Credits, right: Credits) -> Bool { left.amount < right.amount }
}

extension Credits: CustomStringConvertible {
    /// The number with thousands separators, as in `12,600`.
    public var description: String {
        if amount.magnitude < 1000 { return String(amount) }
        let digits = String(amount.magnitude).utf8
        var text: [UInt8] = amount < 0 ? [UInt8(ascii: "-")] : []
        for (place, digit) in digits.enumerated() {
            if place > 0, (digits.count - place).isMultiple(of: 3) { text.append(UInt8(ascii: ",")) }
            text.append(digit)
        }
        return String(decoding: text, as: UTF8.self)
    }
}

extension Credits: Codable {
    /// Reads a bare number.
    public init(from decoder: any Decoder) throws {
        self.init(try decoder.singleValueContainer().decode(Int64.self))
    }

    /// Writes a bare number.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(amount)
    }
}
