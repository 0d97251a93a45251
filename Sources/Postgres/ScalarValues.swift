#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

extension Bool: PostgresEncodable, PostgresDecodable {
    /// A truth value is a `boolean`.
    public static let postgresType = PostgresType.bool

    /// Appends one byte.
    public func encode(into bytes: inout [UInt8]) throws(PostgresError) -> Bool {
        bytes.append(self ? 1 : 0)
        return true
    }

    /// Reads a `boolean`.
    public static func decode(_ bytes: UnsafeRawBufferPointer?, type: PostgresType) throws(PostgresError) -> Bool {
        try PostgresType.bytes(bytes, type: type, among: [.bool], count: 1)[0] != 0
    }
}

extension Int64: PostgresEncodable, PostgresDecodable {
    /// A 64-bit number is a `bigint`.
    public static let postgresType = PostgresType.int8

    /// Appends eight bytes.
    public func encode(into bytes: inout [UInt8]) throws(PostgresError) -> Bool {
        bytes.append(bigEndian: self)
        return true
    }

    /// Reads a `bigint`, `integer`, `smallint` or `oid`.
    public static func decode(_ bytes: UnsafeRawBufferPointer?, type: PostgresType) throws(PostgresError) -> Int64 {
        let value = try PostgresType.bytes(bytes, type: type, among: [.int8, .int4, .int2, .oid])
        switch (type, value.count) {
        case (.int8, 8): return value.bigEndian(Int64.self)
        case (.int4, 4): return Int64(value.bigEndian(Int32.self))
        case (.int2, 2): return Int64(value.bigEndian(Int16.self))
        case (.oid, 4): return Int64(value.bigEndian(UInt32.self))
        default: throw .malformed(type)
        }
    }
}

extension Int: PostgresEncodable, PostgresDecodable {
    /// A number is a `bigint`.
    public static let postgresType = PostgresType.int8

    /// Appends eight bytes.
    public func encode(into bytes: inout [UInt8]) throws(PostgresError) -> Bool {
        bytes.append(bigEndian: Int64(self))
        return true
    }

    /// Reads a `bigint`, `integer`, `smallint` or `oid`.
    public static func decode(_ bytes: UnsafeRawBufferPointer?, type: PostgresType) throws(PostgresError) -> Int {
        Int(try Int64.decode(bytes, type: type))
    }
}

extension Int32: PostgresEncodable, PostgresDecodable {
    /// A 32-bit number is an `integer`.
    public static let postgresType = PostgresType.int4

    /// Appends four bytes.
    public func encode(into bytes: inout [UInt8]) throws(PostgresError) -> Bool {
        bytes.append(bigEndian: self)
        return true
    }

    /// Reads an `integer` or `smallint`.
    public static func decode(_ bytes: UnsafeRawBufferPointer?, type: PostgresType) throws(PostgresError) -> Int32 {
        let value = try PostgresType.bytes(bytes, type: type, among: [.int4, .int2])
        switch (type, value.count) {
        case (.int4, 4): return value.bigEndian(Int32.self)
        case (.int2, 2): return Int32(value.bigEndian(Int16.self))
        default: throw .malformed(type)
        }
    }
}

extension Double: PostgresEncodable, PostgresDecodable {
    /// A floating-point number is a `double precision`.
    public static let postgresType = PostgresType.float8

    /// Appends eight bytes.
    public func encode(into bytes: inout [UInt8]) throws(PostgresError) -> Bool {
        bytes.append(bigEndian: bitPattern)
        return true
    }

    /// Reads a `double precision` or `real`.
    public static func decode(_ bytes: UnsafeRawBufferPointer?, type: PostgresType) throws(PostgresError) -> Double {
        let value = try PostgresType.bytes(bytes, type: type, among: [.float8, .float4])
        switch (type, value.count) {
        case (.float8, 8): return Double(bitPattern: value.bigEndian(UInt64.self))
        case (.float4, 4): return Double(Float(bitPattern: value.bigEndian(UInt32.self)))
        default: throw .malformed(type)
        }
    }
}

extension String: PostgresEncodable, PostgresDecodable {
    /// A string is a `text`; a statement casts it where a column wants an enumeration or another text form.
    public static let postgresType = PostgresType.text

    /// Appends the text in UTF-8. PostgreSQL cannot store the character U+0000.
    public func encode(into bytes: inout [UInt8]) throws(PostgresError) -> Bool {
        let start = bytes.count
        bytes.append(contentsOf: utf8)
        guard !bytes[start...].contains(0) else { throw .unencodable("a text holds the character U+0000") }
        return true
    }

    /// Reads a `text`, `varchar`, `char`, `name`, `json` or an enumeration's label.
    public static func decode(_ bytes: UnsafeRawBufferPointer?, type: PostgresType) throws(PostgresError) -> String {
        guard PostgresType.textLike.contains(type) || type.isUserDefined else {
            throw .mismatch(wanted: "text", found: type)
        }
        let value = try PostgresType.bytes(bytes, type: .text, among: [.text])
        // A user's composite or range type has lengths in it, and so bytes of zero.
        guard !type.isUserDefined || !value.contains(0), let text = String(validating: value, as: UTF8.self) else {
            throw .malformed(type)
        }
        return text
    }
}

extension UUID: PostgresEncodable, PostgresDecodable {
    /// A UUID is a `uuid`.
    public static let postgresType = PostgresType.uuid

    /// Appends sixteen bytes.
    public func encode(into bytes: inout [UInt8]) throws(PostgresError) -> Bool {
        withUnsafeBytes(of: uuid) { bytes.append(contentsOf: $0) }
        return true
    }

    /// Reads a `uuid`.
    public static func decode(_ bytes: UnsafeRawBufferPointer?, type: PostgresType) throws(PostgresError) -> UUID {
        let value = try PostgresType.bytes(bytes, type: type, among: [.uuid], count: 16)
        return UUID(uuid: value.loadUnaligned(as: uuid_t.self))
    }
}
