/// A reader of bytes from outside, and what must hold for whatever it is given.
///
/// The fuzzer and the corpus tests call the same function, so what was found once stays found.
struct Decoder: Sendable {
    /// Its name on the command line of scripts/fuzz, and of its folder of inputs.
    let name: String
    /// The longest input that the fuzzer makes, in bytes.
    var maximumBytes = 4096
    /// Reads the bytes.
    ///
    /// - Throws: ``Finding`` where something does not hold; a crash is a finding too.
    let check: @Sendable ([UInt8]) throws -> Void

    static let all = [
        answer, json, moment, taskLine, multipart, image, arguments, databaseURL, settings, postgresValue,
    ]
}

/// What should have held and did not.
struct Finding: Error, CustomStringConvertible {
    let description: String
}

/// Throws a finding unless something holds.
func hold(_ holds: Bool, _ finding: @autoclosure () -> String) throws {
    guard holds else { throw Finding(description: finding()) }
}

/// Checks a text that a person will read: one line, bounded, and with nothing in it that is secret.
func holdSentence(_ text: String, atMost limit: Int = 1200, without secrets: String...) throws {
    try hold(!text.isEmpty, "an error says nothing")
    try hold(text.unicodeScalars.count <= limit, "a sentence has \(text.unicodeScalars.count) characters")
    let breaks = text.unicodeScalars.contains {
        $0.value < 0x20 || (0x7F...0x9F).contains($0.value) || $0.value == 0x2028 || $0.value == 0x2029
    }
    try hold(!breaks, "a sentence has control characters in it: \(text.debugDescription)")
    for secret in secrets where secret.utf8.count >= 8 {
        try hold(!contains(text, secret), "a sentence shows a secret: \(text)")
    }
}

/// Whether a text has another in it, byte by byte.
func contains(_ text: String, _ part: String) -> Bool {
    Array(text.utf8).firstRange(of: Array(part.utf8)) != nil
}
