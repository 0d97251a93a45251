#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

extension Decimal: PostgresEncodable, PostgresDecodable {
    /// A decimal number is a `numeric`.
    public static let postgresType = PostgresType.numeric

    // The sign words of the format. Source: PostgreSQL, utils/adt/numeric.c.
    private static let positive: UInt16 = 0x0000
    private static let negative: UInt16 = 0x4000
    private static let notANumber: UInt16 = 0xC000

    /// Appends the number exactly, with as many decimals as it has.
    public func encode(into bytes: inout [UInt8]) throws(PostgresError) -> Bool {
        if isNaN {
            Self.append(groups: [], weight: 0, sign: Self.notANumber, scale: 0, to: &bytes)
            return true
        }
        // The description of a Decimal is plain digits with a point, in every locale.
        let text = description.utf8.filter { $0 != UInt8(ascii: "-") }
        let parts = text.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        var whole = Array(parts[0])
        var fraction = parts.count > 1 ? Array(parts[1]) : []
        let scale = fraction.count
        whole.insert(contentsOf: repeatElement(UInt8(ascii: "0"), count: (4 - whole.count % 4) % 4), at: 0)
        fraction.append(contentsOf: repeatElement(UInt8(ascii: "0"), count: (4 - scale % 4) % 4))
        let digits = whole + fraction
        var groups = stride(from: 0, to: digits.count, by: 4).map { start in
            digits[start..<(start + 4)].reduce(UInt16(0)) { $0 * 10 + UInt16($1 - UInt8(ascii: "0")) }
        }
        var weight = whole.count / 4 - 1
        while groups.first == 0 {
            groups.removeFirst()
            weight -= 1
        }
        while groups.last == 0 { groups.removeLast() }
        Self.append(
            groups: groups, weight: groups.isEmpty ? 0 : weight,
            sign: self < 0 ? Self.negative : Self.positive, scale: scale, to: &bytes)
        return true
    }

    /// Reads a `numeric` of at most 38 digits, which is what a `Decimal` holds exactly.
    public static func decode(_ bytes: UnsafeRawBufferPointer?, type: PostgresType) throws(PostgresError) -> Decimal {
        let value = try PostgresType.bytes(bytes, type: type, among: [.numeric])
        guard value.count >= 8 else { throw .malformed(type) }
        let count = Int(value.bigEndian(UInt16.self))
        let weight = Int(value.bigEndian(Int16.self, at: 2))
        let sign = value.bigEndian(UInt16.self, at: 4)
        guard value.count == 8 + 2 * count else { throw .malformed(type) }
        if sign == notANumber { return .nan }
        guard sign == positive || sign == negative else {
            throw PostgresError(reason: .decoding, message: "wanted a number, found an infinite numeric")
        }
        var digits: [Int] = []
        for index in 0..<count {
            let group = Int(value.bigEndian(UInt16.self, at: 8 + 2 * index))
            guard group <= 9999 else { throw .malformed(type) }
            digits += [group / 1000, group / 100 % 10, group / 10 % 10, group % 10]
        }
        // The first group stands for its value times 10,000 to the power of `weight`.
        var exponent = (weight - count + 1) * 4
        while digits.last == 0 {
            digits.removeLast()
            exponent += 1
        }
        let significant = digits.drop { $0 == 0 }
        if significant.isEmpty { return 0 }
        guard significant.count <= 38, (-128...127).contains(exponent) else {
            throw PostgresError(
                reason: .decoding, message: "wanted a number of at most 38 digits, found a longer numeric")
        }
        let magnitude = significant.reduce(Decimal(0)) { $0 * 10 + Decimal($1) }
        return Decimal(sign: sign == negative ? .minus : .plus, exponent: exponent, significand: magnitude)
    }

    private static func append(groups: [UInt16], weight: Int, sign: UInt16, scale: Int, to bytes: inout [UInt8]) {
        bytes.append(bigEndian: Int16(groups.count))
        bytes.append(bigEndian: Int16(weight))
        bytes.append(bigEndian: sign)
        bytes.append(bigEndian: Int16(scale))
        for group in groups { bytes.append(bigEndian: group) }
    }
}
