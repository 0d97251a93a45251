import Logging

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The settings that come from the environment.
enum Environment {
    /// All variables.
    static var all: [String: String] { ProcessInfo.processInfo.environment }

    /// A variable that is set to something.
    static func value(_ name: String) -> String? {
        guard let value = all[name], !value.isEmpty else { return nil }
        return value
    }

    /// How much is logged to stderr, where it is set.
    static var logLevel: Logger.Level? { value("USAGE_LOG_LEVEL").flatMap { Logger.Level(rawValue: $0) } }
}
