/// An image on disk that the provider will take.
///
/// Looked at once, when it is made: type by content, size, readability. The content stays on disk and is
/// streamed when it is uploaded.
public struct ReferenceFile: Sendable, Equatable {
    /// Where it is.
    public let path: String
    /// Its name without folders.
    public let name: String
    /// Its type by content, never by name.
    public let contentType: String
    /// Its size in bytes.
    public let size: Int

    /// What the provider calls it: `image`.
    public var kind: String { "image" }

    /// Looks at a file.
    ///
    /// - Parameter model: The model it is for; without one, the provider's default of 10 MB holds.
    /// - Throws: ``ContractViolation`` if it is missing, unreadable, a folder, empty, too large, or not a JPEG, PNG
    ///   or WebP image by its content.
    public init(path: String, model: String? = nil) throws(ContractViolation) {
        self.path = path
        name = Self.lastComponent(of: path)
        let file = try OpenFile(path: path, name: name)
        size = file.size
        guard file.size > 0 else { throw Self.violation(name, "empty", "choose an image with content") }
        let signature = try file.bytes(upTo: FileSignature.length)
        guard case .accepted(let contentType) = FileSignature.read(signature) else {
            var what = "unknown"
            if case .other(let words) = FileSignature.read(signature) { what = words }
            throw Self.violation(name, what, "a reference is a JPEG, PNG or WebP image by its content, not by its name")
        }
        self.contentType = contentType
        try validateSize(for: model)
    }

    /// Opens it for an upload, if it is still what it was.
    func opened(for model: String?) throws(ContractViolation) -> OpenFile {
        try validateSize(for: model)
        let source = try OpenFile(path: path, name: name)
        let signature = FileSignature.read(try source.bytes(upTo: FileSignature.length))
        guard source.size == size, signature == .accepted(contentType: contentType) else { throw source.changed }
        return source
    }

    /// Checks the size against the model's own limit.
    func validateSize(for model: String?) throws(ContractViolation) {
        let contract = model.flatMap(ModelContract.of)
        if let contract, contract.references.maximumCount == 0 {
            throw Self.violation(name, "a reference for \(contract.model)", "this model takes no files")
        }
        let limit = contract?.references.maximumBytes ?? ModelContract.ReferenceRule.images(1).maximumBytes
        guard size <= limit else {
            throw ContractViolation(
                field: Self.field(name), verb: "has", value: "\(size) bytes", rule: "an image has at most \(limit)")
        }
    }

    static func violation(_ name: String, _ value: String, _ rule: String) -> ContractViolation {
        ContractViolation(field: field(name), value: value, rule: rule)
    }

    static func field(_ name: String) -> String { "file \(name)" }

    private static func lastComponent(of path: String) -> String {
        path.split(separator: "/").last.map(String.init) ?? path
    }
}
