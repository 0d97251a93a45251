#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// The fields of a `multipart/form-data` body. Source: RFC 7578.
enum MultipartForm {
    /// One field; its content is part of the body.
    struct Field: Sendable {
        let content: ArraySlice<UInt8>
        let fileName: String?

        var text: String { String(decoding: content, as: UTF8.self) }
    }

    /// More fields than this are refused.
    static let maximumFields = 16

    static func fields(of body: [UInt8], contentType: String?) throws(ProviderError) -> [String: Field] {
        guard let contentType, contentType.lowercased().hasPrefix("multipart/form-data"),
            let boundary = parameter("boundary", of: contentType), !boundary.isEmpty
        else { throw .validationFailed("The body must be multipart/form-data with a boundary.") }
        var fields: [String: Field] = [:]
        let delimiter = Array("\r\n--\(boundary)".utf8)
        // The first delimiter has no line break before it.
        guard body.starts(with: delimiter.dropFirst(2)) else {
            throw .validationFailed("The multipart body does not begin with its boundary.")
        }
        var position = delimiter.count - 2
        while !body[position...].starts(with: "--".utf8) {
            guard fields.count < maximumFields, let end = find(delimiter, in: body, from: position),
                let blank = find(Array("\r\n\r\n".utf8), in: body, from: position), blank < end
            else { throw .validationFailed("The multipart body is broken or has too many fields.") }
            let headers = String(decoding: body[position..<blank], as: UTF8.self)
            if let disposition = headers.split(separator: "\r\n").first(where: {
                $0.lowercased().hasPrefix("content-disposition:")
            }), let name = parameter("name", of: String(disposition)) {
                fields[name] = Field(
                    content: body[(blank + 4)..<end], fileName: parameter("filename", of: String(disposition)))
            }
            position = end + delimiter.count
        }
        return fields
    }

    /// The value of `name=value` or `name="value"` in a header.
    private static func parameter(_ name: String, of header: String) -> String? {
        for part in header.split(separator: ";").dropFirst() {
            let trimmed = part.drop { $0 == " " }
            guard trimmed.lowercased().hasPrefix(name + "=") else { continue }
            return String(trimmed.dropFirst(name.count + 1).filter { $0 != "\"" })
        }
        return nil
    }

    /// Where some bytes begin in others; the C library finds the first of them many times faster than a loop here.
    private static func find(_ needle: [UInt8], in bytes: [UInt8], from start: Int) -> Int? {
        bytes.withUnsafeBytes { (all: UnsafeRawBufferPointer) -> Int? in
            guard let base = all.baseAddress else { return nil }
            var position = start
            while position + needle.count <= all.count,
                let found = memchr(base + position, Int32(needle[0]), all.count - position)
            {
                position = UnsafeRawPointer(found) - base
                guard position + needle.count <= all.count else { return nil }
                if memcmp(found, needle, needle.count) == 0 { return position }
                position += 1
            }
            return nil
        }
    }
}
