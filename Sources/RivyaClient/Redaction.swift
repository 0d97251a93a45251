/// Makes text from outside safe to log and to show: no key in it, on one line, no control characters, bounded.
package struct Redaction: Sendable {
    private static let replacement = Array("[redacted]".utf8)
    private static let keyPrefix = Array("rvya_sk_".utf8)

    let key: APIKey?

    /// - Parameter key: A key to leave out besides all that look like one.
    package init(key: APIKey?) { self.key = key }

    /// The text without this key and without anything that looks like a key of this provider.
    ///
    /// Works on bytes: as characters, a key followed by a combining mark would not be found.
    ///
    /// - Parameter limit: The longest text kept, in characters.
    package func clean(_ text: String, limit: Int = 500) -> String {
        if isClean(text, limit: limit) { return text }
        // The bound comes first, with room for a key at its end, so that huge texts cost little.
        var bytes = Array(text.utf8.prefix(limit * 4 + 1024))
        if let key {
            let isCut = bytes.count < text.utf8.count
            bytes = bytes.replacing(Array(key.secret.utf8), with: Self.replacement)
            if isCut { bytes.removeLast(Self.beginning(of: Array(key.secret.utf8), atEndOf: bytes)) }
        }
        bytes = Self.withoutKeyShapes(bytes)
        let visible = String(decoding: bytes, as: UTF8.self).unicodeScalars.map { scalar -> Character in
            switch scalar.properties.generalCategory {
            case .control, .lineSeparator, .paragraphSeparator: " "
            default: Character(scalar)
            }
        }
        return visible.count > limit ? String(visible.prefix(limit - 1)) + "…" : String(visible)
    }

    /// Whether nothing is to be done, which is so for every word of an ordinary answer: short, printable ASCII, shorter than the key, and
    /// without the underscore that each of the provider's keys has.
    private func isClean(_ text: String, limit: Int) -> Bool {
        text.utf8.count <= limit && text.utf8.count < key?.secret.utf8.count ?? .max
            && text.utf8.allSatisfy { (0x20...0x7E).contains($0) && $0 != UInt8(ascii: "_") }
    }

    /// How many bytes at the end of a text begin a key that the bound has cut in two: texts of many keys shrink so much
    /// that it would be seen.
    private static func beginning(of key: [UInt8], atEndOf bytes: [UInt8]) -> Int {
        (0..<key.count).reversed().first { bytes.suffix($0).elementsEqual(key.prefix($0)) } ?? 0
    }

    private static func withoutKeyShapes(_ bytes: [UInt8]) -> [UInt8] {
        var rest = bytes[...]
        var clean: [UInt8] = []
        while let found = rest.firstRange(of: keyPrefix) {
            clean += rest[..<found.lowerBound]
            clean += replacement
            rest = rest[found.upperBound...].drop { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
                    true
                default: false
                }
            }
        }
        return clean + rest
    }
}
