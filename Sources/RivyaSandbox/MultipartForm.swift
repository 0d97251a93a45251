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
    /// Source: RFC 2046, section 5.1.1.
    private static let maximumBoundaryBytes = 70

    static func fields(of body: [UInt8], contentType: String?) throws(ProviderError) -> [String: Field] {
        guard let contentType, contentType.lowercased().hasPrefix("multipart/form-data"),
            let boundary = parameter("boundary", of: Array(contentType.utf8)[...]),
            (1...maximumBoundaryBytes).contains(boundary.utf8.count)
        else { throw .validationFailed("The body must be multipart/form-data with a boundary.") }
        var fields: [String: Field] = [:]
        let delimiter = Array("\r\n--\(boundary)".utf8)
        // The first delimiter has no line break before it.
        guard body.starts(with: delimiter.dropFirst(2)) else {
            throw .validationFailed("The multipart body does not begin with its boundary.")
        }
        var position = delimiter.count - 2
        var count = 0
        while !body[position...].starts(with: "--".utf8) {
            count += 1
            guard count <= maximumFields, let end = find(delimiter, in: body, from: position),
                let blank = find(Array("\r\n\r\n".utf8), in: body, from: position),
                // The blank line's last line break may not be the delimiter's first.
                blank + 4 <= end
            else { throw .validationFailed("The multipart body is broken or has too many fields.") }
            if let disposition = disposition(in: body[position..<blank]),
                let name = parameter("name", of: disposition)
            {
                fields[name] = Field(
                    content: body[(blank + 4)..<end], fileName: parameter("filename", of: disposition))
            }
            position = end + delimiter.count
        }
        return fields
    }

    /// The header line that names the field.
    private static func disposition(in headers: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        headers.split(separator: UInt8(ascii: "\n")).first { line in
            String(decoding: line.prefix(20), as: UTF8.self).lowercased() == "content-disposition:"
        }.map { $0.last == UInt8(ascii: "\r") ? $0.dropLast() : $0 }
    }

    /// The value of `name=value` or `name="value"` in a header. A quoted value runs to the next quote: browsers and the
    /// client write a quote inside as `%22`, and no backslash escapes one.
    ///
    /// Works on bytes: as characters, a quote followed by a combining mark would not be found.
    private static func parameter(_ name: String, of header: ArraySlice<UInt8>) -> String? {
        let (semicolon, quote) = (UInt8(ascii: ";"), UInt8(ascii: "\""))
        var rest = header.drop { $0 != semicolon }
        while !rest.isEmpty {
            rest = rest.dropFirst().drop { $0 == UInt8(ascii: " ") }
            let found = rest.prefix { $0 != UInt8(ascii: "=") && $0 != semicolon }
            rest = rest.dropFirst(found.count)
            var value = rest.prefix(0)
            if rest.first == UInt8(ascii: "=") {
                rest = rest.dropFirst()
                let isQuoted = rest.first == quote
                if isQuoted { rest = rest.dropFirst() }
                value = rest.prefix { $0 != (isQuoted ? quote : semicolon) }
                rest = rest.dropFirst(value.count)
            }
            if String(decoding: found, as: UTF8.self).lowercased() == name {
                return String(decoding: value, as: UTF8.self)
            }
            rest = rest.drop { $0 != semicolon }
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
