extension PostgresEncodable {
    /// The type of a parameter that holds an array of these.
    public static var postgresArrayType: PostgresType {
        guard let array = postgresType.array else {
            preconditionFailure("an array of \(postgresType) cannot be bound")
        }
        return array
    }

    /// Appends a one-dimensional array.
    public static func encode(elements: [Self], into bytes: inout [UInt8]) throws(PostgresError) {
        // Dimensions, whether NULLs may occur, element type, then per dimension its length and first index.
        // Source: PostgreSQL, utils/adt/arrayfuncs.c, array_recv.
        bytes.append(bigEndian: Int32(elements.isEmpty ? 0 : 1))
        bytes.append(bigEndian: Int32(1))
        bytes.append(bigEndian: postgresType.oid)
        guard !elements.isEmpty else { return }
        guard let count = Int32(exactly: elements.count) else { throw .unencodable("an array has too many elements") }
        bytes.append(bigEndian: count)
        bytes.append(bigEndian: Int32(1))
        for element in elements {
            let start = bytes.count
            bytes.append(bigEndian: Int32(-1))
            guard try element.encode(into: &bytes) else { continue }
            guard let length = Int32(exactly: bytes.count - start - 4) else {
                throw .unencodable("an array's element is too long")
            }
            bytes.withUnsafeMutableBytes { $0.storeBytes(of: length.bigEndian, toByteOffset: start, as: Int32.self) }
        }
    }
}

extension PostgresDecodable {
    /// Reads a one-dimensional array.
    public static func decode(
        elements bytes: UnsafeRawBufferPointer?, type: PostgresType
    ) throws(PostgresError) -> [Self] {
        guard let bytes else { throw PostgresError(reason: .decoding, message: "wanted an array, found NULL") }
        // A value that is not an array at all: let the element name what it wants.
        guard type.description.hasSuffix("[]") || type.isUserDefined else {
            throw .mismatch(wanted: "an array", found: type)
        }
        guard bytes.count >= 12 else { throw .malformed(type) }
        let dimensions = bytes.bigEndian(Int32.self)
        let element = PostgresType(oid: bytes.bigEndian(UInt32.self, at: 8))
        if dimensions == 0 { return [] }
        guard dimensions == 1, bytes.count >= 20 else {
            throw PostgresError(reason: .decoding, message: "wanted an array with one dimension, found \(dimensions)")
        }
        let count = Int(bytes.bigEndian(Int32.self, at: 12))
        // Each element takes four bytes at least, which bounds the reservation by what has arrived.
        guard count >= 0, count <= (bytes.count - 20) / 4 else { throw .malformed(type) }
        var elements: [Self] = []
        elements.reserveCapacity(count)
        var offset = 20
        for _ in 0..<count {
            guard offset + 4 <= bytes.count else { throw .malformed(type) }
            let length = Int(bytes.bigEndian(Int32.self, at: offset))
            offset += 4
            if length < 0 {
                elements.append(try Self.decode(nil, type: element))
                continue
            }
            guard offset + length <= bytes.count else { throw .malformed(type) }
            let value = UnsafeRawBufferPointer(rebasing: bytes[offset..<(offset + length)])
            elements.append(try Self.decode(value, type: element))
            offset += length
        }
        return elements
    }
}

extension Array: PostgresEncodable where Element: PostgresEncodable {
    /// The type of an array of the elements; `bytea` for bytes.
    public static var postgresType: PostgresType { Element.postgresArrayType }

    /// Appends the elements.
    public func encode(into bytes: inout [UInt8]) throws(PostgresError) -> Bool {
        try Element.encode(elements: self, into: &bytes)
        return true
    }
}

extension Array: PostgresDecodable where Element: PostgresDecodable {
    /// Reads an array with one dimension.
    public static func decode(_ bytes: UnsafeRawBufferPointer?, type: PostgresType) throws(PostgresError) -> Self {
        try Element.decode(elements: bytes, type: type)
    }
}

extension UInt8: PostgresEncodable, PostgresDecodable {
    /// A single byte is bound as the smallest integer there is.
    public static let postgresType = PostgresType.int2
    /// An array of bytes is bound as `bytea`.
    public static let postgresArrayType = PostgresType.bytea

    /// Appends the byte as a number.
    public func encode(into bytes: inout [UInt8]) throws(PostgresError) -> Bool {
        bytes.append(bigEndian: Int16(self))
        return true
    }

    /// Appends the bytes as they are.
    public static func encode(elements: [UInt8], into bytes: inout [UInt8]) throws(PostgresError) {
        bytes.append(contentsOf: elements)
    }

    /// Reads a number from 0 to 255.
    public static func decode(_ bytes: UnsafeRawBufferPointer?, type: PostgresType) throws(PostgresError) -> UInt8 {
        guard let value = UInt8(exactly: try Int64.decode(bytes, type: type)) else {
            throw PostgresError(reason: .decoding, message: "the number does not fit in one byte")
        }
        return value
    }

    /// Reads a `bytea`.
    public static func decode(
        elements bytes: UnsafeRawBufferPointer?, type: PostgresType
    ) throws(PostgresError) -> [UInt8] {
        try Array(PostgresType.bytes(bytes, type: type, among: [.bytea]))
    }
}
