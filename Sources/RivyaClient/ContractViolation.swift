/// A request that the provider would refuse, found before anything was sent.
public struct ContractViolation: Error, Equatable, Sendable, CustomStringConvertible {
    /// The longest value shown, in characters.
    static let maximumValueLength = 40

    /// The part of the request that is wrong.
    public let field: String
    /// What it holds, at most 40 characters; of a prompt only its length.
    public let value: String
    /// What it may hold.
    public let rule: String

    private let verb: String

    /// A violation that reads `field is value; rule.`
    public init(field: String, value: String, rule: String) {
        self.init(field: field, verb: "is", value: value, rule: rule)
    }

    init(field: String, verb: String, value: String, rule: String) {
        self.field = Self.shortened(field)
        self.verb = verb
        self.value = Self.shortened(value)
        self.rule = rule
    }

    /// One sentence with the field, what it holds and the rule.
    public var description: String { "\(field) \(verb) \(value); \(rule)." }

    static func shortened(_ text: String) -> String {
        let visible = text.unicodeScalars.prefix(maximumValueLength + 1).map { scalar -> Character in
            switch scalar.properties.generalCategory {
            case .control, .lineSeparator, .paragraphSeparator: " "
            default: Character(scalar)
            }
        }
        return visible.count > maximumValueLength
            ? String(visible.prefix(maximumValueLength - 1)) + "…" : String(visible)
    }
}
