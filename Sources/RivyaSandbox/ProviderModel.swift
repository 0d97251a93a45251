/// A model the sandbox plays, with the facts of the provider's API page for it.
struct ProviderModel: Sendable {
    let id: String
    let name: String
    let category: String
    let baseCredits: Int
    var isFixedPrice = true
    /// In UTF-16 code units, the largest of the possible counts; nil where no limit is documented.
    let promptLimit: Int?
    var parameters: [String: ParameterRule] = [:]
    var references: ReferenceRule?

    /// What a parameter's value must be; selects and text are JSON strings, numbers JSON numbers.
    enum ParameterRule: Sendable {
        case select([String])
        case number(ClosedRange<Double>)
        case wholeNumber(ClosedRange<Int>)
        case text

        /// What is wrong with a value, as the end of a sentence; nil if nothing is.
        func objection(to value: JSONValue) -> String? {
            switch self {
            case .select(let options):
                // Byte by byte: to Swift, `K` also equals the Kelvin sign.
                if let string = value.string, options.contains(where: { $0.utf8.elementsEqual(string.utf8) }) {
                    return nil
                }
                return "must be one of the strings \(options.joined(separator: ", "))"
            case .number(let range):
                switch value {
                case .number(let number) where range.contains(number): return nil
                case .integer(let integer) where range.contains(Double(integer)): return nil
                default: return "must be a number from \(range.lowerBound) to \(range.upperBound)"
                }
            case .wholeNumber(let range):
                if let integer = value.integer, range.contains(integer) { return nil }
                return "must be a whole number from \(range.lowerBound) to \(range.upperBound)"
            case .text:
                return value.string == nil ? "must be a string" : nil
            }
        }
    }

    /// Which uploads a model takes.
    struct ReferenceRule: Sendable {
        let count: Int
        var kinds: [FileKind] = [.image]
        /// Where it differs from the default of the kind.
        var maximumBytes: [FileKind: Int] = [:]
    }

    /// The entry of the model in `GET /api/v1/models`. The shapes of `params` and `reference_media` are not documented,
    /// so they stay empty as in the one documented entry.
    func entry(baseCredits: Int) -> JSONValue {
        let inputs = category == "image" ? "text-to-image" : category == "video" ? "text-to-video" : "text-to-audio"
        let referenceModes = references == nil ? [] : [category == "image" ? "image-to-image" : "image-to-video"]
        return [
            "id": .string(id), "display_name": .string(name), "category": .string(category), "runtime": "async_task",
            "base_credits": .integer(baseCredits), "billing_type": isFixedPrice ? "FIXED" : "METERED",
            "supported_modes": JSONValue([inputs] + referenceModes),
            "max_prompt_length": promptLimit.map { .integer($0) } ?? .null,
            "reference_media": .null, "params": .array([]), "api_status": "available",
            "api_input_status": references == nil ? "available_text" : "partial_requires_files",
            "supported_api_inputs": JSONValue(references == nil ? ["text"] : ["text", "file"]),
            "requires_files_api": .bool(false), "requires_upload_for_modes": JSONValue(referenceModes),
            "url_input_supported": .bool(false), "file_kinds": JSONValue(references?.kinds.map(\.rawValue) ?? []),
            "chat_capabilities": .null, "notices": .array([]),
        ]
    }
}
