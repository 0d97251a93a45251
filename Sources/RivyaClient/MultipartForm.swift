/// The body of an upload: `multipart/form-data` (RFC 7578) with the file last and streamed.
struct MultipartForm {
    private let boundary: String
    private var head: [UInt8] = []

    /// - Parameter boundary: Must not occur in the content; random ones do not.
    init(boundary: String = Self.randomBoundary()) {
        self.boundary = boundary
    }

    var contentType: String { "multipart/form-data; boundary=\(boundary)" }

    mutating func field(_ name: String, _ value: String) {
        head += "--\(boundary)\r\nContent-Disposition: form-data; name=\"\(name)\"\r\n\r\n\(value)\r\n".utf8
    }

    /// The form with the file as its last part.
    func body(file: OpenFile, name: String, contentType: String) -> RequestBody {
        let fileHead =
            "--\(boundary)\r\nContent-Disposition: form-data; name=\"file\"; filename=\"\(Self.escaped(name))\"\r\n"
            + "Content-Type: \(contentType)\r\n\r\n"
        return RequestBody([.bytes(head + fileHead.utf8), .file(file), .bytes(Array("\r\n--\(boundary)--\r\n".utf8))])
    }

    /// As browsers do it: the three bytes that would end the name early are percent-encoded.
    private static func escaped(_ name: String) -> String {
        var escaped: [UInt8] = []
        for byte in name.utf8 {
            switch byte {
            case UInt8(ascii: "\""): escaped += "%22".utf8
            case 0x0D: escaped += "%0D".utf8
            case 0x0A: escaped += "%0A".utf8
            default: escaped.append(byte)
            }
        }
        return String(decoding: escaped, as: UTF8.self)
    }

    private static func randomBoundary() -> String {
        "rivya-" + (0..<2).map { _ in String(UInt64.random(in: (1 << 60)...UInt64.max), radix: 16) }.joined()
    }
}
