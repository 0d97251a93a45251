/// The value of a model's parameter.
///
/// The provider writes an option as text (`"duration": "5"`) and a number as a number (`"cfg_scale": 0.5`).
public enum ParameterValue: Sendable, Equatable, Hashable {
    /// A text or an option.
    case string(String)
    /// A number; its shortest decimal form is sent, so `0.7` stays `0.7`.
    case number(Double)
    /// True or false.
    case bool(Bool)
}

extension ParameterValue: Codable {
    /// Reads a JSON text, number or truth value.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let flag = try? container.decode(Bool.self) {
            self = .bool(flag)
        } else if let number = try? container.decode(Double.self) {
            self = .number(number)
        } else if let text = try? container.decode(String.self) {
            self = .string(text)
        } else {
            throw DecodingError.typeMismatch(
                ParameterValue.self,
                .init(
                    codingPath: decoder.codingPath,
                    debugDescription: "a parameter is a text, a number, or true or false"))
        }
    }

    /// Writes a JSON text, number or truth value.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .string(let text): try container.encode(text)
        case .number(let number): try container.encode(number)
        case .bool(let flag): try container.encode(flag)
        }
    }
}

extension ParameterValue: ExpressibleByStringLiteral, ExpressibleByFloatLiteral, ExpressibleByIntegerLiteral,
    ExpressibleByBooleanLiteral
{
    /// A text.
    public init(stringLiteral value: String) { self = .string(value) }

    /// A number.
    public init(floatLiteral value: Double) { self = .number(value) }

    /// A number.
    public init(integerLiteral value: Int64) { self = .number(Double(value)) }

    /// True or false.
    public init(booleanLiteral value: Bool) { self = .bool(value) }
}

extension ParameterValue {
    /// The value in words, for a violation.
    var words: String {
        switch self {
        case .string(let text): "\"\(ContractViolation.shortened(text))\""
        case .number(let number): "the number \(JSONWriter.number(number) ?? "\(number)")"
        case .bool(let flag): "the truth value \(flag)"
        }
    }
}
