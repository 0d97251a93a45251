/// Makes text of the provider safe to log: no key in it, no control characters, bounded.
struct Redaction: Sendable {
    /// Longest text kept, in characters.
    static let maximumLength = 500

    private static let replacement = Array("[redacted]".utf8)
    private static let keyPrefix = Array("rvya_sk_".utf8)

    let key: APIKey?

    /// The text without this key and without anything that looks like a key of this provider.
    ///
    /// Works on bytes: as characters, a key followed by a combining mark would not be found.
    func clean(_ text: String, limit: Int = maximumLength) -> String {
        // The bound comes first, with room for a key at its end, so that huge texts cost little.
        var bytes = Array(text.utf8.prefix(limit * 4 + 1024))
        if let key { bytes = bytes.replacing(Array(key.secret.utf8), with: Self.replacement) }
        bytes = Self.withoutKeyShapes(bytes)
        let visible = String(decoding: bytes, as: UTF8.self).unicodeScalars.map { scalar in
            scalar.properties.generalCategory == .control ? " " : Character(scalar)
        }
        return visible.count > limit ? String(visible.prefix(limit - 1)) + "…" : String(visible)
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
