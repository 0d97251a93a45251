/// A PostgreSQL data type, known by its object identifier.
public struct PostgresType: Hashable, Sendable, CustomStringConvertible {
    /// The row of `pg_type` that describes the type.
    public let oid: UInt32

    /// Names a type by its object identifier.
    public init(oid: UInt32) {
        self.oid = oid
    }

    /// The name PostgreSQL gives the type, or its number where it is not a built-in one.
    public var description: String {
        if let known = Self.builtIn.first(where: { $0.oid == oid }) { return known.name }
        if let known = Self.builtIn.first(where: { $0.arrayOID == oid }) { return "\(known.name)[]" }
        return "type \(oid)"
    }

    /// The type of an array of this type, for built-in types that have one.
    public var array: PostgresType? {
        Self.builtIn.first { $0.oid == oid && $0.arrayOID != 0 }.map { PostgresType(oid: $0.arrayOID) }
    }

    /// Whether extensions or users made the type; enumerations are among these.
    // 16384 is FirstNormalObjectId. Source: PostgreSQL, access/transam.h.
    var isUserDefined: Bool { oid >= 16384 }

    // Source: PostgreSQL, catalog/pg_type.dat. These numbers never change.
    private static let builtIn: [(name: String, oid: UInt32, arrayOID: UInt32)] = [
        ("bool", 16, 1000), ("bytea", 17, 1001), ("char", 18, 1002), ("name", 19, 1003), ("int8", 20, 1016),
        ("int2", 21, 1005), ("int4", 23, 1007), ("text", 25, 1009), ("oid", 26, 1028), ("json", 114, 199),
        ("xml", 142, 143), ("float4", 700, 1021), ("float8", 701, 1022), ("unknown", 705, 0), ("inet", 869, 1041),
        ("bpchar", 1042, 1014), ("varchar", 1043, 1015), ("date", 1082, 1182), ("time", 1083, 1183),
        ("timestamp", 1114, 1115), ("timestamptz", 1184, 1185), ("interval", 1186, 1187), ("numeric", 1700, 1231),
        ("void", 2278, 0), ("record", 2249, 2287), ("uuid", 2950, 2951), ("jsonb", 3802, 3807),
        ("int4range", 3904, 3905), ("daterange", 3912, 3913), ("tstzrange", 3910, 3911),
    ]
}

extension PostgresType {
    /// The type `boolean`.
    public static let bool = PostgresType(oid: 16)
    /// The type `bytea`, a string of bytes.
    public static let bytea = PostgresType(oid: 17)
    /// The type `smallint`.
    public static let int2 = PostgresType(oid: 21)
    /// The type `integer`.
    public static let int4 = PostgresType(oid: 23)
    /// The type `bigint`.
    public static let int8 = PostgresType(oid: 20)
    /// The type `real`.
    public static let float4 = PostgresType(oid: 700)
    /// The type `double precision`.
    public static let float8 = PostgresType(oid: 701)
    /// The type `text`.
    public static let text = PostgresType(oid: 25)
    /// The type `uuid`.
    public static let uuid = PostgresType(oid: 2950)
    /// The type `timestamp with time zone`.
    public static let timestamptz = PostgresType(oid: 1184)
    /// The type `date`.
    public static let date = PostgresType(oid: 1082)
    /// The type `numeric`.
    public static let numeric = PostgresType(oid: 1700)
    /// The type `json`.
    public static let json = PostgresType(oid: 114)
    /// The type `jsonb`.
    public static let jsonb = PostgresType(oid: 3802)

    static let oid = PostgresType(oid: 26)
    static let textLike = [
        text, json, PostgresType(oid: 18), PostgresType(oid: 19), PostgresType(oid: 142), PostgresType(oid: 705),
        PostgresType(oid: 1042), PostgresType(oid: 1043),
    ]
}
