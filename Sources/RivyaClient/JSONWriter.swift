/// Writes JSON that is the same bytes for the same value: members by name, no spaces, no needless escapes.
struct JSONWriter {
    private(set) var bytes: [UInt8] = []

    mutating func raw(_ text: String) { bytes += text.utf8 }

    mutating func string(_ text: String) {
        bytes.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""): raw("\\\"")
            case UInt8(ascii: "\\"): raw("\\\\")
            case 0x0A: raw("\\n")
            case 0x0D: raw("\\r")
            case 0x09: raw("\\t")
            case ..<0x20:
                let digits = String(byte, radix: 16)
                raw("\\u" + String(repeating: "0", count: 4 - digits.count) + digits)
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }

    /// An object; the members are written by name, in the order of their UTF-8.
    mutating func object(_ members: [String: (inout JSONWriter) -> Void]) {
        raw("{")
        for (index, name) in members.keys.sorted(by: { $0.utf8.lexicographicallyPrecedes($1.utf8) }).enumerated() {
            if index > 0 { raw(",") }
            string(name)
            raw(":")
            members[name]?(&self)
        }
        raw("}")
    }

    mutating func array<Element>(_ elements: [Element], _ write: (Element, inout JSONWriter) -> Void) {
        raw("[")
        for (index, element) in elements.enumerated() {
            if index > 0 { raw(",") }
            write(element, &self)
        }
        raw("]")
    }

    mutating func value(_ value: ParameterValue) {
        switch value {
        case .string(let text): string(text)
        // JSON has no infinities; validation refuses them, and this keeps the text readable all the same.
        case .number(let number): raw(Self.number(number) ?? "null")
        case .bool(let flag): raw(flag ? "true" : "false")
        }
    }

    /// The shortest decimal form that reads back as the same number; whole ones without a point.
    static func number(_ number: Double) -> String? {
        guard number.isFinite else { return nil }
        if let whole = Int64(exactly: number), whole.magnitude <= 1 << 53 { return "\(whole)" }
        return "\(number)"
    }
}
