/// An id of version 7 of a moment of the past. Source of the layout: RFC 9562, section 5.7.
struct InventedID: Sendable {
    let high: UInt64
    let low: UInt64

    init(at microseconds: Int64, using random: inout some RandomNumberGenerator) {
        high = InventedID.high(at: microseconds) | 0x7000 | UInt64.random(in: 0...0xFFF, using: &random)
        low = 0x8000_0000_0000_0000 | UInt64.random(in: 0...0x3FFF_FFFF_FFFF_FFFF, using: &random)
    }

    /// The least id of a moment.
    init(leastAt microseconds: Int64) {
        high = InventedID.high(at: microseconds)
        low = 0
    }

    /// The id as it is printed.
    var text: String { String(decoding: digits(), as: UTF8.self) }

    /// The 32 digits, with or without hyphens, in lower case.
    func digits(hyphens: Bool = true) -> [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(36)
        for place in 0..<16 {
            if hyphens, place == 4 || place == 6 || place == 8 || place == 10 { text.append(UInt8(ascii: "-")) }
            let half = place < 8 ? high : low
            let byte = UInt8(truncatingIfNeeded: half >> UInt64(56 - 8 * (place % 8)))
            text.append(InventedID.digit(byte >> 4))
            text.append(InventedID.digit(byte & 15))
        }
        return text
    }

    private static func digit(_ value: UInt8) -> UInt8 { value < 10 ? 48 + value : 87 + value }

    private static func high(at microseconds: Int64) -> UInt64 {
        // From 1970 to 2000 there are 10,957 days.
        UInt64((microseconds + 10_957 * 86_400_000_000) / 1000) << 16
    }
}
