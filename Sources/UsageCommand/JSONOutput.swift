#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// JSON for programs: sorted keys, names as in the database, moments in ISO 8601.
enum JSONOutput {
    static func text(_ value: some Encodable, pretty: Bool = true) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting =
            pretty ? [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes] : [.sortedKeys, .withoutEscapingSlashes]
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.dateEncodingStrategy = .iso8601
        guard let data = try? encoder.encode(value) else { preconditionFailure("what is printed is always JSON") }
        return String(decoding: data, as: UTF8.self) + "\n"
    }
}

extension Date {
    /// The moment for people, in UTC.
    var text: String { formatted(.iso8601.dateSeparator(.dash).timeSeparator(.colon).dateTimeSeparator(.space)) }
}
