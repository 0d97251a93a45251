/// A request for one generation.
public struct GenerationRequest: Sendable, Equatable {
    /// The most bytes an encoded request may have; the provider names no limit, and no documented model comes close.
    public static let maximumEncodedBytes = 1_048_576

    /// The most parameters and the most references of a request, for models whose own limits are not known.
    public static let maximumCount = 64

    /// The parameter that ``references`` are sent in.
    static let referencesParameter = "referenceMediaItems"

    /// The model's id.
    public var model: String
    /// What to make.
    public var prompt: String?
    /// The model's own parameters.
    public var parameters: [String: ParameterValue]
    /// Uploaded files to work from, in order: of two images the second is the tail frame.
    public var references: [MediaReference]
    /// The caller's own trace id, at most 128 characters; it does not make a request unique.
    public var clientRequestID: String?

    /// A request; nothing is checked until ``validate()``.
    public init(
        model: String, prompt: String? = nil, parameters: [String: ParameterValue] = [:],
        references: [MediaReference] = [], clientRequestID: String? = nil
    ) {
        self.model = model
        self.prompt = prompt
        self.parameters = parameters
        self.references = references
        self.clientRequestID = clientRequestID
    }

    /// Checks the request against its model's contract, or against the little that is known without one.
    ///
    /// Characters are counted in UTF-16 units, the largest of the usual counts: what passes here passes however the
    /// provider counts.
    ///
    /// - Throws: The first violation found, in the order model, prompt, parameters by name, references.
    public func validate() throws(ContractViolation) {
        guard Self.isModelID(model) else {
            throw ContractViolation(
                field: "model", value: "\"\(model)\"",
                rule: "write a model id as the model list has it, such as kling-v2-5-turbo-pro")
        }
        if let clientRequestID { try Self.validate(clientRequestID: clientRequestID) }
        for (field, count) in [("parameters", parameters.count), ("references", references.count)] {
            guard count <= Self.maximumCount else {
                throw ContractViolation(
                    field: field, verb: "has", value: "\(count) entries", rule: "it takes at most \(Self.maximumCount)")
            }
        }
        if let prompt { try Self.validate(text: prompt, named: "prompt") }
        if let contract = ModelContract.of(model) {
            try contract.validate(self)
        } else {
            guard let prompt, prompt.hasInk else { throw .missingPrompt(rule: "write what to make") }
            for (name, value) in parameters.sorted(by: { $0.key < $1.key }) { try Self.validate(value, named: name) }
            for (index, reference) in references.enumerated() { try reference.validate(at: index) }
        }
        let size = encoded().count
        guard size <= Self.maximumEncodedBytes else {
            throw ContractViolation(
                field: "request", verb: "has", value: "\(size) bytes",
                rule: "at most \(Self.maximumEncodedBytes) are sent; shorten its longest text")
        }
    }

    /// The request as JSON: the same value gives the same bytes, so it can be stored and sent again.
    public func encoded() -> [UInt8] {
        var members: [String: (inout JSONWriter) -> Void] = [:]
        members["model"] = { $0.string(model) }
        if let prompt { members["prompt"] = { $0.string(prompt) } }
        if let clientRequestID { members["client_request_id"] = { $0.string(clientRequestID) } }
        var params: [String: (inout JSONWriter) -> Void] = [:]
        for (name, value) in parameters { params[name] = { $0.value(value) } }
        if !references.isEmpty {
            params[Self.referencesParameter] = { $0.array(references) { $0.write(to: &$1) } }
        }
        if !params.isEmpty { members["params"] = { $0.object(params) } }
        var writer = JSONWriter()
        writer.object(members)
        return writer.bytes
    }

    static func validate(clientRequestID: String) throws(ContractViolation) {
        let count = clientRequestID.utf16.count
        guard (1...128).contains(count) else {
            throw ContractViolation(
                field: "client_request_id", verb: "has", value: "\(count) characters (UTF-16 units)",
                rule: "it takes 1 to 128")
        }
        try validate(text: clientRequestID, named: "client_request_id")
    }

    static func isModelID(_ text: String) -> Bool {
        (1...128).contains(text.utf8.count) && text.utf8.allSatisfy { (0x21...0x7E).contains($0) }
    }

    /// PostgreSQL, where requests and their parameters are kept, has no room for one character.
    private static func validate(text: String, named name: String) throws(ContractViolation) {
        guard !text.utf8.contains(0) else {
            throw ContractViolation(
                field: name, verb: "has", value: "the character U+0000", rule: "leave it out")
        }
    }

    /// The rules that hold for every model.
    static func validate(_ value: ParameterValue, named name: String) throws(ContractViolation) {
        try validate(text: name, named: name)
        if case .string(let text) = value { try validate(text: text, named: name) }
        guard name != referencesParameter else {
            throw ContractViolation(
                field: name, value: value.words, rule: "uploaded files go into the request's references")
        }
        if case .number(let number) = value {
            guard number.isFinite, abs(number) <= 0x1p53 else {
                throw ContractViolation(
                    field: name, value: value.words,
                    rule: "a number lies between -9007199254740992 and 9007199254740992")
            }
        }
    }
}

extension String {
    /// Whether there is more than white space in it.
    var hasInk: Bool { !allSatisfy(\.isWhitespace) }

    /// Whether both are the same bytes. To Swift, `K` also equals the Kelvin sign; to the provider it does not.
    func isIdentical(to other: String) -> Bool { utf8.elementsEqual(other.utf8) }
}

extension ContractViolation {
    static func missingPrompt(rule: String) -> ContractViolation {
        ContractViolation(field: "prompt", value: "missing or empty", rule: rule)
    }
}
