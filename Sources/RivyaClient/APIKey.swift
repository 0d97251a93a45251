/// A provider key that never shows itself.
///
/// Printing, dumping or reflecting it gives `APIKey(redacted)`; only the client reads the secret, and only to
/// send it to the configured base URL.
public struct APIKey: Sendable, Equatable {
    /// Longest key taken; the documented ones are far shorter.
    static let maximumLength = 512

    let secret: String

    /// Takes a secret as the provider shows it once, at creation (`rvya_sk_...`).
    ///
    /// - Throws: ``RivyaConfigurationError`` if it is empty, too long, or holds anything but visible ASCII: white
    ///   space and control characters would break out of the header.
    public init(_ secret: String) throws(RivyaConfigurationError) {
        guard !secret.isEmpty else {
            throw RivyaConfigurationError(setting: "API key", rule: "it is empty; copy it from the provider's settings")
        }
        guard secret.utf8.count <= Self.maximumLength else {
            throw RivyaConfigurationError(
                setting: "API key", rule: "it is longer than \(Self.maximumLength) characters; copy the key alone")
        }
        guard secret.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw RivyaConfigurationError(
                setting: "API key",
                rule: "it holds white space, control or non-ASCII characters; copy it without line ends or quotes")
        }
        self.secret = secret
    }
}

extension APIKey: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The same words for every key.
    public var description: String { "APIKey(redacted)" }

    /// The same words for every key.
    public var debugDescription: String { description }

    /// A mirror without children, so `dump` shows nothing.
    public var customMirror: Mirror { Mirror(self, children: [:]) }
}
