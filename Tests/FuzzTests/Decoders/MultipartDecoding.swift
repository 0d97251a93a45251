import Foundation

@testable import RivyaClient

extension Decoder {
    /// What the client encodes the sandbox reads back, whatever a file is called; and the sandbox reads anything.
    ///
    /// The input is a file name, the value of a field and a content, divided by bytes of 0.
    static let multipart = Decoder(name: "multipart") { bytes in
        let parts = bytes.split(separator: 0, maxSplits: 2, omittingEmptySubsequences: false).map(Array.init)
        let name = String(decoding: parts[0], as: UTF8.self)
        let value = String(decoding: parts.count > 1 ? parts[1] : [], as: UTF8.self)
        let content = parts.count > 2 ? parts[2] : []
        try holdRoundTrip(name, value, content)
        // And as a stranger's body: the first line is the content type.
        let lines = bytes.split(separator: 10, maxSplits: 1, omittingEmptySubsequences: false).map(Array.init)
        let types = [String(decoding: lines[0], as: UTF8.self), "multipart/form-data; boundary=edge"]
        for type in types {
            let body = lines.count > 1 ? lines[1] : []
            switch SandboxReading.fields(of: body, contentType: type) {
            case .success(let fields):
                try hold(fields.count <= 16, "\(fields.count) fields")
                let size = fields.values.reduce(0) { $0 + $1.content.count }
                try hold(size <= body.count, "more content than there was")
            case .failure(let refused): try holdSentence(refused.message)
            }
        }
    }

    /// An open file whose content stands for any: the form streams it, and only its place in the body matters here.
    private static let file: OpenFile = {
        let path = FileManager.default.temporaryDirectory.appending(path: "usage-fuzz-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        guard FileManager.default.createFile(atPath: path, contents: Data([0])),
            let file = try? OpenFile(path: path, name: "a.png")
        else { preconditionFailure("the temporary folder cannot be written") }
        return file
    }()

    private static func holdRoundTrip(_ name: String, _ value: String, _ content: [UInt8]) throws {
        let boundary = "rivya-0123456789abcdef"
        let end = Array("--\(boundary)".utf8)
        // A random boundary occurs in nothing.
        guard Array(value.utf8).firstRange(of: end) == nil, content.firstRange(of: end) == nil,
            !contains(name, boundary)
        else { return }
        var form = MultipartForm(boundary: boundary)
        form.field("kind", "image")
        form.field("client_request_id", value)
        var body: [UInt8] = []
        for part in form.body(file: file, name: name, contentType: "image/png").parts {
            switch part {
            case .bytes(let bytes): body += bytes
            case .file: body += content
            }
        }
        let fields = try SandboxReading.fields(of: body, contentType: form.contentType).get()
        try hold(Set(fields.keys) == ["kind", "client_request_id", "file"], "the fields are \(fields.keys.sorted())")
        try hold(fields["client_request_id"]?.content == Array(value.utf8), "the field is another")
        try hold(fields["file"]?.content == content, "the file is another")
        let escaped = name.utf8.flatMap { byte -> [UInt8] in
            switch byte {
            case 0x22: Array("%22".utf8)
            case 0x0D: Array("%0D".utf8)
            case 0x0A: Array("%0A".utf8)
            default: [byte]
            }
        }
        let read = fields["file"]?.fileName.map { Array($0.utf8) }
        try hold(read == escaped, "the name is \(fields["file"]?.fileName ?? "missing")")
    }
}
