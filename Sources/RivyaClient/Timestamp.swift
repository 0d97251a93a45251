#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Reads the two forms of a moment that HTTP and the provider use.
///
/// By hand because the ready-made HTTP date style needs a newer macOS than this package does.
package enum Timestamp {
    /// `2026-05-11T00:00:00.000Z`, also with an offset, or nothing if it is anything else.
    package static func iso8601(_ text: String) -> Date? {
        let bytes = Array(text.utf8)
        guard (20...40).contains(bytes.count), bytes[4] == dash, bytes[7] == dash, bytes[10] | 0x20 == lowercaseT,
            bytes[13] == colon, bytes[16] == colon,
            let year = number(bytes[0..<4]), let month = number(bytes[5..<7]), let day = number(bytes[8..<10]),
            let hour = number(bytes[11..<13]), let minute = number(bytes[14..<16]), let second = number(bytes[17..<19]),
            let whole = seconds(year, month, day, hour, minute, second)
        else { return nil }
        var rest = bytes[19...]
        var fraction = 0.0
        if rest.first == dot {
            let digits = rest.dropFirst().prefix { (zero...nine).contains($0) }
            guard !digits.isEmpty, let value = Double("0." + String(decoding: digits, as: UTF8.self)) else {
                return nil
            }
            fraction = value
            rest = rest.dropFirst(1 + digits.count)
        }
        guard let offset = offset(Array(rest)) else { return nil }
        return Date(timeIntervalSince1970: Double(whole - offset) + fraction)
    }

    /// `Mon, 11 May 2026 00:00:00 GMT` (RFC 9110, IMF-fixdate), or nothing if it is anything else.
    static func http(_ text: String) -> Date? {
        let parts = text.split(separator: " ")
        // Every part has its own width.
        guard parts.map(\.utf8.count) == [4, 2, 3, 4, 8, 3], parts[5] == "GMT", parts[0].hasSuffix(","),
            let month = months.firstIndex(of: String(parts[2])),
            let day = number(Array(parts[1].utf8)[...]), let year = number(Array(parts[3].utf8)[...])
        else { return nil }
        let fields = parts[4].split(separator: ":")
        let clock = fields.map { number(Array($0.utf8)[...]) }
        guard fields.map(\.utf8.count) == [2, 2, 2], let hour = clock[0], let minute = clock[1], let second = clock[2],
            let whole = seconds(year, month + 1, day, hour, minute, second)
        else { return nil }
        return Date(timeIntervalSince1970: Double(whole))
    }

    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]
    private static let zero = UInt8(ascii: "0")
    private static let nine = UInt8(ascii: "9")
    private static let dash = UInt8(ascii: "-")
    private static let colon = UInt8(ascii: ":")
    private static let dot = UInt8(ascii: ".")
    private static let lowercaseT = UInt8(ascii: "t")

    private static func number(_ digits: ArraySlice<UInt8>) -> Int? {
        guard (1...4).contains(digits.count), digits.allSatisfy({ (zero...nine).contains($0) }) else { return nil }
        return digits.reduce(0) { $0 * 10 + Int($1 - zero) }
    }

    /// Seconds east of UTC: `Z` or `+02:00`.
    private static func offset(_ bytes: [UInt8]) -> Int? {
        if bytes.count == 1, bytes[0] | 0x20 == UInt8(ascii: "z") { return 0 }
        guard bytes.count == 6, bytes[3] == colon, bytes[0] == UInt8(ascii: "+") || bytes[0] == dash,
            let hours = number(bytes[1..<3]), let minutes = number(bytes[4..<6]), hours < 24, minutes < 60
        else { return nil }
        return (bytes[0] == dash ? -1 : 1) * (hours * 3600 + minutes * 60)
    }

    /// Seconds since 1970 of a UTC moment in the proleptic Gregorian calendar.
    private static func seconds(
        _ year: Int, _ month: Int, _ day: Int, _ hour: Int, _ minute: Int, _ second: Int
    ) -> Int? {
        let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0
        let lengths = [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        guard (1...12).contains(month), (1...lengths[month - 1]).contains(day), (0...23).contains(hour),
            (0...59).contains(minute), (0...60).contains(second), year >= 1
        else { return nil }
        let before = year - 1
        let daysBeforeYear = before * 365 + before / 4 - before / 100 + before / 400
        let days = daysBeforeYear + lengths[..<(month - 1)].reduce(0, +) + day - 1
        return (days - 719_162) * 86_400 + hour * 3600 + minute * 60 + second
    }
}
