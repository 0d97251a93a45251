#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The kinds of reference media.
enum FileKind: String, Sendable {
    case image, video, audio
}

/// An uploaded file that has passed the checks; its content is not kept.
struct FileUpload: Sendable {
    let kind: FileKind
    let mimeType: String
    let sizeBytes: Int
    let name: String

    /// Checks the fields of an upload against the documented limits and, if it names a model, the model's.
    init(fields: [String: MultipartForm.Field], maximumBytes: Int) throws(ProviderError) {
        guard let file = fields["file"], !file.content.isEmpty else {
            throw .validationFailed("'file' must be a file that is not empty.")
        }
        guard let kind = fields["kind"].flatMap({ FileKind(rawValue: $0.text) }) else {
            throw .validationFailed("'kind' must be image, video or audio.")
        }
        if let trace = fields["client_request_id"], trace.text.utf16.count > 128 {
            throw .validationFailed("'client_request_id' must have at most 128 characters.")
        }
        var maximum = kind == .video ? maximumBytes * 5 : maximumBytes
        if let id = fields["model"]?.text {
            guard let model = ModelCatalog.byID[id] else {
                throw .validationFailed("'model' must be the id of a model in GET /api/v1/models.")
            }
            guard let rule = model.references, rule.kinds.contains(kind) else {
                throw .validationFailed("'\(id)' takes no reference media of kind \(kind.rawValue).")
            }
            maximum = rule.maximumBytes[kind] ?? maximum
        }
        guard file.content.count <= maximum else {
            throw .validationFailed("'file' has \(file.content.count) bytes; at most \(maximum) are taken.")
        }
        guard let mimeType = FileSignature.mimeType(of: file.content), FileSignature.kinds(mimeType).contains(kind)
        else { throw .validationFailed("The content of 'file' is no \(kind.rawValue) of a format that is taken.") }
        self.kind = kind
        self.mimeType = mimeType
        sizeBytes = file.content.count
        name = file.fileName ?? "upload"
    }
}

/// A file in the sandbox's books.
struct StoredFile: Sendable {
    let id: String
    let wallet: Int
    let upload: FileUpload
    let createdAt: Date

    var url: String { "https://files.rivya-sandbox.invalid/\(id)" }

    /// Only `url` and `duration_token` are documented; the other names are the sandbox's assumption.
    var json: JSONValue {
        [
            "id": .string(id), "object": "file", "url": .string(url), "kind": .string(upload.kind.rawValue),
            "name": .string(upload.name), "mime_type": .string(upload.mimeType),
            "size_bytes": .integer(upload.sizeBytes),
            "duration_token": upload.kind == .image ? .null : .string("duration_\(id)"),
            "created_at": .string(createdAt.iso8601),
        ]
    }
}

/// What a file is by its first bytes, whatever it is called.
enum FileSignature {
    static func mimeType(of content: ArraySlice<UInt8>) -> String? {
        let start = Array(content.prefix(16))
        func has(_ text: String, at offset: Int) -> Bool { start.dropFirst(offset).starts(with: text.utf8) }
        if start.starts(with: [0xFF, 0xD8, 0xFF]) { return "image/jpeg" }
        if start.starts(with: [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]) { return "image/png" }
        if has("RIFF", at: 0), has("WEBP", at: 8) { return "image/webp" }
        if has("RIFF", at: 0), has("WAVE", at: 8) { return "audio/wav" }
        if has("ftypqt", at: 4) { return "video/quicktime" }
        if has("ftypM4A", at: 4) { return "audio/mp4" }
        if has("ftyp", at: 4) { return "video/mp4" }
        if start.starts(with: [0x1A, 0x45, 0xDF, 0xA3]) { return "video/webm" }
        if has("OggS", at: 0) { return "audio/ogg" }
        if has("ID3", at: 0) { return "audio/mpeg" }
        // An ADTS frame has layer 0 where an MPEG audio frame has 1 to 3. Source: ISO 13818-7, 6.2.
        if start.count > 1, start[0] == 0xFF, start[1] & 0xF6 == 0xF0 { return "audio/aac" }
        if start.count > 1, start[0] == 0xFF, start[1] & 0xE0 == 0xE0 { return "audio/mpeg" }
        return nil
    }

    static func kinds(_ mimeType: String) -> [FileKind] {
        // An MP4 container may hold either.
        if mimeType == "video/mp4" { return [.video, .audio] }
        return [FileKind(rawValue: String(mimeType.prefix { $0 != "/" }))].compactMap(\.self)
    }
}
