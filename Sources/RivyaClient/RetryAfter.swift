#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Reads the `Retry-After` header, which holds seconds or a date (RFC 9110, section 10.2.3).
enum RetryAfter {
    /// A longer wait than this is taken as this long.
    private static let longest = 86_400

    /// How long to wait from now, or nothing if the header cannot be read.
    static func read(_ text: String, now: Date) -> Duration? {
        let text = String(text.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
        if !text.isEmpty, text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) {
            return .seconds(min(Int(text) ?? longest, longest))
        }
        guard let moment = Timestamp.http(text) else { return nil }
        let seconds = moment.timeIntervalSince(now).rounded(.up)
        return .seconds(Int(min(max(seconds, 0), Double(longest))))
    }
}
