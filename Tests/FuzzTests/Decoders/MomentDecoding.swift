import Foundation

@testable import RivyaClient

extension Decoder {
    /// Moments of answers and of the `Retry-After` header, against Foundation's calendar.
    static let moment = Decoder(name: "moment", maximumBytes: 64) { bytes in
        let text = String(decoding: bytes, as: UTF8.self)
        if let date = Timestamp.iso8601(text) { try holdISO8601(date, text) }
        if let date = Timestamp.http(text) {
            let fields = calendar.dateComponents([.year, .month, .hour, .minute], from: date)
            let clock = text.split(separator: " ").dropFirst(4).first ?? ""
            try hold(
                !clock.hasSuffix(":60")
                    ? clock.split(separator: ":").prefix(2).compactMap { Int($0) } == [fields.hour, fields.minute]
                    : true,
                "\(text) is \(date)")
        }
        let now = Date(timeIntervalSince1970: 1_778_457_600)
        if let wait = RetryAfter.read(text, now: now) {
            try hold(wait >= .zero && wait <= .seconds(86_400), "a wait of \(wait)")
            if let seconds = Int(text), seconds < 86_400 { try hold(wait == .seconds(seconds), "\(text) is \(wait)") }
        }
    }

    private static let calendar: Calendar = {
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = .gmt
        return calendar
    }()

    private static func holdISO8601(_ date: Date, _ text: String) throws {
        // Before 1582 Foundation's calendar is the Julian one; a leap second is the next minute's first.
        let fields = Array(text.utf8)
        let field = { (range: Range<Int>) in fields[range].reduce(0) { $0 * 10 + Int($1) - 48 } }
        guard field(0..<4) > 1582, field(17..<19) < 60 else { return }
        let isUTC = text.utf8.last.map { $0 | 0x20 == UInt8(ascii: "z") } ?? false
        var offset = 0
        if !isUTC {
            let end = fields.suffix(6).map { Int($0) - 48 }
            offset = (end[1] * 10 + end[2]) * 3600 + (end[4] * 10 + end[5]) * 60
            if fields[fields.count - 6] == UInt8(ascii: "-") { offset = -offset }
        }
        let whole = Date(timeIntervalSince1970: date.timeIntervalSince1970.rounded(.down) + Double(offset))
        let found = calendar.dateComponents([.year, .month, .day, .hour, .minute, .second], from: whole)
        let said = [field(0..<4), field(5..<7), field(8..<10), field(11..<13), field(14..<16), field(17..<19)]
        let read = [found.year, found.month, found.day, found.hour, found.minute, found.second].compactMap(\.self)
        // A fraction of nines is the next second.
        let isNext = date.timeIntervalSince1970 == date.timeIntervalSince1970.rounded() && text.contains(".9")
        try hold(read == said || isNext, "\(text) is \(read)")
    }
}
