import Foundation

@testable import RivyaClient

extension Decoder {
    /// The strict JSON reader, against Foundation's own.
    static let json = Decoder(name: "json") { bytes in
        guard let value = try? JSONReader.read(bytes) else {
            try holdRefusal(of: bytes)
            return
        }
        try holdNumbers(of: value)
        var writer = JSONWriter()
        writer.json(value)
        try hold((try? JSONReader.read(writer.bytes)) == value, "what is written does not read back")
        guard !isReadOtherwise(bytes) else { return }
        let other = try? JSONSerialization.jsonObject(with: Data(bytes), options: .fragmentsAllowed)
        guard let other else {
            // Foundation refuses numbers that no Double holds, and halves of surrogate pairs.
            try hold(value.hasExtremeNumber || contains(bytes, #"\u"#), "Foundation refuses what was read")
            return
        }
        try hold(isEqual(value, other), "Foundation reads something else")
    }

    /// Foundation may take what was refused only for reasons that are ours: depth, names that occur twice, encodings.
    private static func holdRefusal(of bytes: [UInt8]) throws {
        do {
            _ = try JSONReader.read(bytes)
        } catch {
            try holdSentence(error.problem, atMost: 100)
            guard !isReadOtherwise(bytes), !error.problem.contains("twice"), !error.problem.contains("nested"),
                !hasNeedlessComma(bytes)
            else { return }
            let other = try? JSONSerialization.jsonObject(with: Data(bytes), options: .fragmentsAllowed)
            try hold(other == nil, "Foundation reads what was refused: \(error.problem)")
        }
    }

    /// Whether Foundation takes the bytes for UTF-16 or UTF-32, or drops a byte order mark, as it does within texts too.
    private static func isReadOtherwise(_ bytes: [UInt8]) -> Bool {
        bytes.prefix(4).contains(0) || bytes.firstRange(of: [0xEF, 0xBB, 0xBF]) != nil
            || bytes.starts(with: [0xFF, 0xFE])
            || bytes.starts(with: [0xFE, 0xFF])
    }

    /// Foundation also takes a comma behind the last element.
    private static func hasNeedlessComma(_ bytes: [UInt8]) -> Bool {
        let visible = bytes.filter { $0 > 0x20 }
        return contains(visible, ",]") || contains(visible, ",}")
    }

    private static func contains(_ bytes: [UInt8], _ text: String) -> Bool {
        bytes.firstRange(of: Array(text.utf8)) != nil
    }

    private static func holdNumbers(of value: JSONValue) throws {
        switch value {
        case .number(let literal):
            try hold(value.wholeNumber == NumberReference.wholeNumber(literal), "\(literal) is another whole number")
        case .array(let elements): for element in elements { try holdNumbers(of: element) }
        case .object(let members): for member in members.values { try holdNumbers(of: member) }
        default: break
        }
    }

    private static func isEqual(_ value: JSONValue, _ other: Any) -> Bool {
        switch value {
        case .null: other is NSNull
        case .bool(let flag): (other as? Bool) == flag
        case .number(let literal):
            Double(literal).map { ours in
                (other as? NSNumber).map { $0.doubleValue == ours || abs($0.doubleValue - ours) <= abs(ours) * 1e-12 }
                    ?? false
            } ?? false
        case .string(let text): (other as? String) == text
        case .array(let elements):
            (other as? [Any]).map { others in
                others.count == elements.count && zip(elements, others).allSatisfy { isEqual($0, $1) }
            } ?? false
        case .object(let members):
            (other as? [String: Any]).map { others in
                others.count == members.count
                    && members.allSatisfy { name, member in others[name].map { isEqual(member, $0) } ?? false }
            } ?? false
        }
    }
}

extension JSONValue {
    /// Whether there is a number so large or so small that readers differ on it.
    var hasExtremeNumber: Bool {
        switch self {
        case .number(let literal):
            Double(literal).map { !$0.isFinite || ($0 != 0 && abs($0) < 1e-300) || $0 == 0 } ?? true
        case .array(let elements): elements.contains(where: \.hasExtremeNumber)
        case .object(let members): members.values.contains(where: \.hasExtremeNumber)
        default: false
        }
    }
}

extension JSONWriter {
    /// Any value, with a number's digits as they are.
    mutating func json(_ value: JSONValue) {
        switch value {
        case .null: raw("null")
        case .bool(let flag): raw(flag ? "true" : "false")
        case .number(let literal): raw(literal)
        case .string(let text): string(text)
        case .array(let elements): array(elements) { $1.json($0) }
        case .object(let members): object(members.mapValues { member in { $0.json(member) } })
        }
    }
}
