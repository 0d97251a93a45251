/// An uploaded file that a request works from.
public struct MediaReference: Sendable, Equatable, Hashable {
    /// The longest address, in bytes.
    static let maximumURLBytes = 4096
    /// The longest name, type or proof of length, in bytes.
    private static let maximumTextBytes = 4096

    /// The address that the upload returned.
    public var url: String
    /// `image`, `video` or `audio`.
    public var kind: String
    /// The file's name.
    public var name: String?
    /// The file's type, such as `image/png`.
    public var mimeType: String?
    /// The proof of length that the upload of a video or audio returned.
    public var durationToken: String?

    /// A reference to a file uploaded before.
    public init(
        url: String, kind: String = "image", name: String? = nil, mimeType: String? = nil, durationToken: String? = nil
    ) {
        self.url = url
        self.kind = kind
        self.name = name
        self.mimeType = mimeType
        self.durationToken = durationToken
    }

    /// A reference to a file just uploaded.
    public init(_ file: ReferenceFile, uploaded: UploadedFile) {
        self.init(
            url: uploaded.url, kind: file.kind, name: file.name, mimeType: file.contentType,
            durationToken: uploaded.durationToken)
    }

    /// The rules that hold for every model.
    func validate(at index: Int) throws(ContractViolation) {
        guard Self.isAddress(url) else {
            throw ContractViolation(
                field: "references[\(index)].url", value: "\"\(ContractViolation.shortened(url))\"",
                rule: "upload the file first and use the address that comes back")
        }
        guard ["image", "video", "audio"].contains(kind) else {
            throw ContractViolation(
                field: "references[\(index)].kind", value: "\"\(ContractViolation.shortened(kind))\"",
                rule: "it is one of image, video and audio")
        }
        for (member, text) in [("name", name), ("mimeType", mimeType), ("durationToken", durationToken)] {
            let size = text?.utf8.count ?? 0
            guard size <= Self.maximumTextBytes else {
                throw ContractViolation(
                    field: "references[\(index)].\(member)", verb: "has", value: "\(size) bytes",
                    rule: "it takes at most \(Self.maximumTextBytes)")
            }
        }
    }

    static func isAddress(_ url: String) -> Bool {
        (url.hasPrefix("https://") || url.hasPrefix("http://")) && url.utf8.count <= maximumURLBytes
    }

    func write(to writer: inout JSONWriter) {
        var members: [String: (inout JSONWriter) -> Void] = [:]
        members["url"] = { $0.string(url) }
        members["kind"] = { $0.string(kind) }
        if let name { members["name"] = { $0.string(name) } }
        if let mimeType { members["mimeType"] = { $0.string(mimeType) } }
        if let durationToken { members["durationToken"] = { $0.string(durationToken) } }
        writer.object(members)
    }
}
