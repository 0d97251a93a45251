/// A value that can be bound to a parameter of a statement.
public protocol PostgresEncodable: Sendable {
    /// The type the parameter is declared with.
    static var postgresType: PostgresType { get }

    /// Appends the value in PostgreSQL's binary format.
    ///
    /// - Returns: Whether there is a value; `false` binds NULL.
    /// - Throws: A ``PostgresError`` with the reason `usage` if the type cannot hold the value.
    func encode(into bytes: inout [UInt8]) throws(PostgresError) -> Bool

    /// The type of a parameter that holds an array of these.
    static var postgresArrayType: PostgresType { get }

    /// Appends an array of these in PostgreSQL's binary format.
    static func encode(elements: [Self], into bytes: inout [UInt8]) throws(PostgresError)
}

/// A value that can be read from a column.
public protocol PostgresDecodable: Sendable {
    /// Reads a value in PostgreSQL's binary format.
    ///
    /// - Parameter bytes: The value, `nil` for NULL.
    /// - Parameter type: The type of the column.
    /// - Throws: A ``PostgresError`` with the reason `decoding`; its message names the types, never the value.
    static func decode(_ bytes: UnsafeRawBufferPointer?, type: PostgresType) throws(PostgresError) -> Self

    /// Reads an array of these in PostgreSQL's binary format.
    static func decode(elements bytes: UnsafeRawBufferPointer?, type: PostgresType) throws(PostgresError) -> [Self]
}

extension Optional: PostgresEncodable where Wrapped: PostgresEncodable {
    /// The type of the value there may be.
    public static var postgresType: PostgresType { Wrapped.postgresType }

    /// Appends the value, if there is one.
    public func encode(into bytes: inout [UInt8]) throws(PostgresError) -> Bool {
        guard let self else { return false }
        return try self.encode(into: &bytes)
    }
}

extension Optional: PostgresDecodable where Wrapped: PostgresDecodable {
    /// Reads a value, or `nil` for NULL.
    public static func decode(_ bytes: UnsafeRawBufferPointer?, type: PostgresType) throws(PostgresError) -> Self {
        guard let bytes else { return nil }
        return try Wrapped.decode(bytes, type: type)
    }
}

extension PostgresError {
    /// A column holds another type than the wanted one.
    static func mismatch(wanted: String, found type: PostgresType) -> PostgresError {
        PostgresError(reason: .decoding, message: "wanted \(wanted), found \(type)")
    }

    /// The bytes of a value are not what its type promises.
    static func malformed(_ type: PostgresType) -> PostgresError {
        PostgresError(reason: .decoding, message: "the value is not a readable \(type)")
    }

    /// A value that the type has no room for.
    static func unencodable(_ what: String) -> PostgresError {
        PostgresError(reason: .usage, message: what)
    }
}

extension PostgresType {
    /// The bytes of a value of one of the accepted types.
    static func bytes(
        _ bytes: UnsafeRawBufferPointer?, type: PostgresType, among accepted: [PostgresType], count: Int? = nil
    ) throws(PostgresError) -> UnsafeRawBufferPointer {
        // Named only where it goes wrong: this runs for each value that is read.
        var wanted: String { accepted.first?.description ?? "" }
        guard accepted.contains(type) else { throw .mismatch(wanted: wanted, found: type) }
        guard let bytes else { throw PostgresError(reason: .decoding, message: "wanted \(wanted), found NULL") }
        if let count, bytes.count != count { throw .malformed(type) }
        return bytes
    }
}

extension [UInt8] {
    /// Appends an integer, most significant byte first, as all of PostgreSQL's binary formats have it.
    mutating func append(bigEndian value: some FixedWidthInteger) {
        Swift.withUnsafeBytes(of: value.bigEndian) { append(contentsOf: $0) }
    }
}

extension UnsafeRawBufferPointer {
    /// The integer at an offset, which the caller has made sure is inside.
    func bigEndian<T: FixedWidthInteger & BitwiseCopyable>(_: T.Type, at offset: Int = 0) -> T {
        T(bigEndian: loadUnaligned(fromByteOffset: offset, as: T.self))
    }
}
