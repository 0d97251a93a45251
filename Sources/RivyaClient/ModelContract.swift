/// What a model takes, as data, so that a request can be checked before it is sent.
public struct ModelContract: Sendable, Equatable {
    /// What one parameter may hold.
    public enum ParameterRule: Sendable, Equatable {
        /// One of these texts, the default first.
        case option([String])
        /// Any text.
        case text
        /// A number within these bounds, both included.
        case number(ClosedRange<Double>)
        /// A whole number within these bounds, both included.
        case wholeNumber(ClosedRange<Int64>)
    }

    /// Which uploaded files a model works from.
    public struct ReferenceRule: Sendable, Equatable {
        /// The most files in one request.
        public let maximumCount: Int
        /// The kinds taken.
        public let kinds: [String]
        /// The types taken.
        public let contentTypes: [String]
        /// The most bytes of one file. "10 MB" is read as 10,000,000, the smaller of its two meanings.
        public let maximumBytes: Int

        /// JPEG, PNG and WebP images.
        public static func images(_ count: Int, maximumBytes: Int = 10_000_000) -> ReferenceRule {
            ReferenceRule(
                maximumCount: count, kinds: ["image"], contentTypes: ["image/jpeg", "image/png", "image/webp"],
                maximumBytes: maximumBytes)
        }

        /// No files.
        public static let none = ReferenceRule(maximumCount: 0, kinds: [], contentTypes: [], maximumBytes: 0)
    }

    /// The model's id.
    public let model: String
    /// The longest prompt in UTF-16 units, if a limit is documented; a prompt is always required.
    public let maximumPromptLength: Int?
    /// The parameters, by name; all are optional, and there are no others.
    public let parameters: [String: ParameterRule]
    /// The uploaded files it works from.
    public let references: ReferenceRule

    /// The contract of a model, or nothing if its parameters are not documented in full.
    public static func of(_ model: String) -> ModelContract? { byModel[model] }

    private static let byModel = Dictionary(uniqueKeysWithValues: documented.map { ($0.model, $0) })

    /// Checks a request for this model.
    ///
    /// - Throws: The first violation found, in the order prompt, parameters by name, references.
    public func validate(_ request: GenerationRequest) throws(ContractViolation) {
        try validate(prompt: request.prompt)
        for (name, value) in request.parameters.sorted(by: { $0.key < $1.key }) {
            try GenerationRequest.validate(value, named: name)
            guard let rule = parameters.first(where: { $0.key.isIdentical(to: name) })?.value else {
                throw ContractViolation(
                    field: name, value: "no parameter of \(model)",
                    rule: parameters.isEmpty
                        ? "it takes none" : "it takes \(Self.list(parameters.keys.sorted(), "and"))")
            }
            try validate(value, named: name, rule: rule)
        }
        try validate(references: request.references)
    }

    private func validate(prompt: String?) throws(ContractViolation) {
        let limit = maximumPromptLength
        guard let prompt, prompt.hasInk else {
            throw .missingPrompt(
                rule: limit.map { "\(model) takes 1 to \($0) characters (UTF-16 units)" } ?? "\(model) needs one")
        }
        let count = prompt.utf16.count
        if let limit, count > limit {
            throw ContractViolation(
                field: "prompt", verb: "has", value: "\(count) characters (UTF-16 units)",
                rule: "\(model) takes 1 to \(limit)")
        }
    }

    private func validate(
        _ value: ParameterValue, named name: String, rule: ParameterRule
    ) throws(ContractViolation) {
        let expected: String
        switch (rule, value) {
        case (.option(let options), .string(let text)) where options.contains(where: text.isIdentical): return
        case (.text, .string): return
        case (.number(let bounds), .number(let number)) where bounds.contains(number): return
        case (.wholeNumber(let bounds), .number(let number))
        where Int64(exactly: number).map(bounds.contains) ?? false: return
        case (.option(let options), _):
            expected = Self.list(options.map { "\"\($0)\"" }, "or") + (options.count == 1 ? "" : ", as text")
        case (.text, _): expected = "a text"
        case (.number(let bounds), _):
            let (low, high) = (JSONWriter.number(bounds.lowerBound), JSONWriter.number(bounds.upperBound))
            expected = "a number from \(low ?? "") to \(high ?? "")"
        case (.wholeNumber(let bounds), _):
            expected = "a whole number from \(bounds.lowerBound) to \(bounds.upperBound)"
        }
        throw ContractViolation(field: name, value: value.words, rule: "\(model) takes \(expected)")
    }

    private func validate(references files: [MediaReference]) throws(ContractViolation) {
        guard files.count <= references.maximumCount else {
            throw ContractViolation(
                field: "references", verb: "has", value: "\(files.count) files",
                rule: references.maximumCount == 0
                    ? "\(model) takes none" : "\(model) takes at most \(references.maximumCount)")
        }
        for (index, file) in files.enumerated() {
            try file.validate(at: index)
            guard references.kinds.contains(where: file.kind.isIdentical) else {
                throw ContractViolation(
                    field: "references[\(index)].kind", value: "\"\(file.kind)\"",
                    rule: "\(model) takes \(Self.list(references.kinds, "or"))")
            }
            if let type = file.mimeType, !references.contentTypes.contains(type) {
                throw ContractViolation(
                    field: "references[\(index)].mimeType", value: "\"\(ContractViolation.shortened(type))\"",
                    rule: "\(model) takes \(Self.list(references.contentTypes, "or"))")
            }
        }
    }

    static func list(_ words: [String], _ conjunction: String) -> String {
        words.count < 2
            ? words.joined() : words.dropLast().joined(separator: ", ") + " \(conjunction) " + (words.last ?? "")
    }
}
