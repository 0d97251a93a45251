/// A JSON text as read from outside; numbers keep their digits.
package enum JSONValue: Equatable, Sendable {
    case null
    case bool(Bool)
    case number(String)
    case string(String)
    case array([JSONValue])
    case object([String: JSONValue])

    package subscript(name: String) -> JSONValue? {
        guard case .object(let members) = self else { return nil }
        return members[name]
    }

    package var string: String? {
        guard case .string(let text) = self else { return nil }
        return text
    }

    package var isNull: Bool { self == .null }

    /// The number as a whole one, if it is one and fits: `42`, `42.0` and `4.2e1`, but not `42.5`.
    package var wholeNumber: Int64? {
        guard case .number(let literal) = self else { return nil }
        let negative = literal.hasPrefix("-")
        let parts = literal.drop { $0 == "-" }.split(whereSeparator: { $0 == "e" || $0 == "E" })
        let decimals = parts[0].split(separator: ".")
        var digits = decimals.joined()[...]
        var exponent = -(decimals.count == 2 ? decimals[1].count : 0)
        digits = digits.drop { $0 == "0" }
        if digits.isEmpty { return 0 }
        if parts.count == 2 {
            guard let power = Int(parts[1]), (-10_000...10_000).contains(power) else { return nil }
            exponent += power
        }
        while exponent < 0, digits.last == "0" {
            digits.removeLast()
            exponent += 1
        }
        // 19 digits hold every Int64.
        guard exponent >= 0, digits.count + exponent <= 19 else { return nil }
        return Int64((negative ? "-" : "") + digits + String(repeating: "0", count: exponent))
    }
}

/// Why a text is not the JSON it should be.
package struct JSONError: Error, Equatable {
    package let problem: String
}

/// A strict JSON reader (RFC 8259) with bounded depth.
///
/// Its own, because a ready-made one rounds numbers, and credits may not be rounded. A key that occurs twice is
/// refused: with two amounts there is no telling which one binds.
package struct JSONReader {
    private static let maximumDepth = 64

    private let bytes: [UInt8]
    private var position = 0

    package static func read(_ bytes: [UInt8]) throws(JSONError) -> JSONValue {
        var reader = JSONReader(bytes: bytes)
        let value = try reader.value(depth: 0)
        reader.skipSpace()
        guard reader.position == bytes.count else { throw reader.problem("something follows the value") }
        return value
    }

    private init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    private mutating func value(depth: Int) throws(JSONError) -> JSONValue {
        guard depth <= Self.maximumDepth else { throw problem("it is nested too deeply") }
        skipSpace()
        switch peek() {
        case UInt8(ascii: "{"): return try object(depth: depth)
        case UInt8(ascii: "["): return try array(depth: depth)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try literal("true", .bool(true))
        case UInt8(ascii: "f"): return try literal("false", .bool(false))
        case UInt8(ascii: "n"): return try literal("null", .null)
        case nil: throw problem("it ends too early")
        default: return .number(try number())
        }
    }

    private mutating func object(depth: Int) throws(JSONError) -> JSONValue {
        var members: [String: JSONValue] = [:]
        position += 1
        skipSpace()
        if take("}") { return .object(members) }
        while true {
            skipSpace()
            guard peek() == UInt8(ascii: "\"") else { throw problem("a member has no name") }
            let name = try string()
            skipSpace()
            guard take(":") else { throw problem("a member has no value") }
            let member = try value(depth: depth + 1)
            guard members.updateValue(member, forKey: name) == nil else { throw problem("a member occurs twice") }
            skipSpace()
            if take("}") { return .object(members) }
            guard take(",") else { throw problem("an object does not end") }
        }
    }

    private mutating func array(depth: Int) throws(JSONError) -> JSONValue {
        var elements: [JSONValue] = []
        position += 1
        skipSpace()
        if take("]") { return .array(elements) }
        while true {
            elements.append(try value(depth: depth + 1))
            skipSpace()
            if take("]") { return .array(elements) }
            guard take(",") else { throw problem("an array does not end") }
        }
    }

    private mutating func string() throws(JSONError) -> String {
        position += 1
        var text: [UInt8] = []
        while let byte = peek() {
            position += 1
            switch byte {
            case UInt8(ascii: "\""):
                guard let string = String(validating: text, as: UTF8.self) else { throw problem("it is not UTF-8") }
                return string
            case UInt8(ascii: "\\"): text += try escape()
            case ..<0x20: throw problem("a text holds a control character")
            default: text.append(byte)
            }
        }
        throw problem("a text does not end")
    }

    private mutating func escape() throws(JSONError) -> [UInt8] {
        guard let byte = peek() else { throw problem("a text does not end") }
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return [byte]
        case UInt8(ascii: "b"): return [0x08]
        case UInt8(ascii: "f"): return [0x0C]
        case UInt8(ascii: "n"): return [0x0A]
        case UInt8(ascii: "r"): return [0x0D]
        case UInt8(ascii: "t"): return [0x09]
        case UInt8(ascii: "u"):
            let first = try codeUnit()
            if first & 0xFC00 == 0xD800, peek() == UInt8(ascii: "\\"), position + 1 < bytes.count,
                bytes[position + 1] == UInt8(ascii: "u")
            {
                let mark = position
                position += 2
                let second = try codeUnit()
                if second & 0xFC00 == 0xDC00 { return Array(String(decoding: [first, second], as: UTF16.self).utf8) }
                position = mark
            }
            return Array(String(decoding: [first], as: UTF16.self).utf8)
        default: throw problem("a text holds an unknown escape")
        }
    }

    private mutating func codeUnit() throws(JSONError) -> UInt16 {
        guard position + 4 <= bytes.count else { throw problem("a text does not end") }
        var unit: UInt16 = 0
        for byte in bytes[position..<(position + 4)] {
            guard let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
                throw problem("a text holds an unknown escape")
            }
            unit = unit << 4 | UInt16(digit)
        }
        position += 4
        return unit
    }

    private mutating func number() throws(JSONError) -> String {
        let start = position
        _ = take("-")
        if !take("0") { try digits() }
        if take(".") { try digits() }
        if take("e") || take("E") {
            if !take("+") { _ = take("-") }
            try digits()
        }
        return String(decoding: bytes[start..<position], as: UTF8.self)
    }

    private mutating func digits() throws(JSONError) {
        let start = position
        while let byte = peek(), (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { position += 1 }
        guard position > start else { throw problem("it holds something that is no value") }
    }

    private mutating func literal(_ word: StaticString, _ value: JSONValue) throws(JSONError) -> JSONValue {
        let end = position + word.utf8CodeUnitCount
        guard end <= bytes.count, bytes[position..<end].elementsEqual("\(word)".utf8) else {
            throw problem("it holds something that is no value")
        }
        position = end
        return value
    }

    private mutating func skipSpace() {
        while let byte = peek(), byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { position += 1 }
    }

    private func peek() -> UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard peek() == UInt8(ascii: character) else { return false }
        position += 1
        return true
    }

    private func problem(_ text: String) -> JSONError { JSONError(problem: "\(text) (at byte \(position))") }
}
