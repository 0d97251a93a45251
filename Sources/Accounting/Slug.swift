/// The form of a wallet's or project's name: 1 to 63 lower-case letters, digits, `-` and `_`, the first a letter or digit.
public enum Slug {
    /// Whether a text has that form.
    public static func isValid(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        guard (1...63).contains(bytes.count) else { return false }
        let isPlain = { (byte: UInt8) in (97...122).contains(byte) || (48...57).contains(byte) }
        return isPlain(bytes[0]) && bytes.allSatisfy { isPlain($0) || $0 == 45 || $0 == 95 }
    }
}
