/// A decimal number read digit by digit, without what it is compared with.
enum NumberReference {
    /// The number of a JSON literal if it is a whole one that fits, by moving the point through its digits.
    static func wholeNumber(_ literal: String) -> Int64? {
        var bytes = Array(literal.utf8)[...]
        let isNegative = bytes.first == UInt8(ascii: "-")
        if isNegative { bytes = bytes.dropFirst() }
        let mantissa = bytes.prefix { $0 | 0x20 != UInt8(ascii: "e") }
        let exponent = exponent(bytes.dropFirst(mantissa.count + 1))
        let whole = mantissa.prefix { $0 != UInt8(ascii: ".") }
        let digits = Array(whole) + mantissa.dropFirst(whole.count + 1)
        guard digits.contains(where: { $0 != UInt8(ascii: "0") }) else { return 0 }
        guard let exponent else { return nil }
        let point = whole.count + exponent
        var value: Int64 = 0
        for place in 0..<max(point, digits.count) {
            let digit = Int64(place < digits.count ? digits[place] - UInt8(ascii: "0") : 0)
            guard place < point else {
                guard digit == 0 else { return nil }
                continue
            }
            let (tens, overflows) = value.multipliedReportingOverflow(by: 10)
            let (next, overflowsToo) = tens.subtractingReportingOverflow(digit)
            guard !overflows, !overflowsToo else { return nil }
            value = next
        }
        // Collected below zero, where there is room for one more.
        if isNegative { return value }
        return value == .min ? nil : -value
    }

    /// Nothing if it is beyond 20,000: no number of an input that short is whole and fits then.
    private static func exponent(_ bytes: ArraySlice<UInt8>) -> Int? {
        guard let first = bytes.first else { return 0 }
        let digits = first == UInt8(ascii: "-") || first == UInt8(ascii: "+") ? bytes.dropFirst() : bytes
        var value = 0
        for digit in digits {
            value = value * 10 + Int(digit - UInt8(ascii: "0"))
            guard value <= 20_000 else { return nil }
        }
        return first == UInt8(ascii: "-") ? -value : value
    }
}
