#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

extension Date: PostgresEncodable, PostgresDecodable {
    /// A moment is a `timestamptz`.
    public static let postgresType = PostgresType.timestamptz

    // PostgreSQL counts microseconds from 2000-01-01, `Date` seconds from 2001-01-01.
    private static let secondsBetweenEpochs = 366.0 * 86_400
    // 4713 BC to 294276 AD. Source: PostgreSQL, datatype/timestamp.h.
    private static let storable = -211_813_488_000_000_000..<9_223_371_331_200_000_000.0

    /// Appends the moment, rounded to a microsecond.
    public func encode(into bytes: inout [UInt8]) throws(PostgresError) -> Bool {
        let microseconds = ((timeIntervalSinceReferenceDate + Self.secondsBetweenEpochs) * 1_000_000).rounded()
        guard Self.storable.contains(microseconds) else {
            throw .unencodable("a moment is outside the years a timestamptz can hold")
        }
        bytes.append(bigEndian: Int64(microseconds))
        return true
    }

    /// Reads a `timestamptz` that is not infinite.
    public static func decode(_ bytes: UnsafeRawBufferPointer?, type: PostgresType) throws(PostgresError) -> Date {
        let value = try PostgresType.bytes(bytes, type: type, among: [.timestamptz], count: 8).bigEndian(Int64.self)
        guard value != .max, value != .min else {
            throw PostgresError(reason: .decoding, message: "wanted a moment, found an infinite timestamptz")
        }
        // Whole seconds and the rest apart, so that a microsecond survives far from the epoch.
        let (seconds, rest) = value.quotientAndRemainder(dividingBy: 1_000_000)
        return Date(
            timeIntervalSinceReferenceDate: Double(seconds) - secondsBetweenEpochs + Double(rest) / 1_000_000)
    }
}

extension PostgresDate: PostgresEncodable, PostgresDecodable {
    /// A calendar day is a `date`.
    public static let postgresType = PostgresType.date

    /// Appends the days since 2000-01-01.
    public func encode(into bytes: inout [UInt8]) throws(PostgresError) -> Bool {
        bytes.append(bigEndian: Int32(daysSinceEpoch2000))
        return true
    }

    /// Reads a `date` that is not infinite.
    public static func decode(
        _ bytes: UnsafeRawBufferPointer?, type: PostgresType
    ) throws(PostgresError) -> PostgresDate {
        let value = try PostgresType.bytes(bytes, type: type, among: [.date], count: 4).bigEndian(Int32.self)
        guard value != .max, value != .min else {
            throw PostgresError(reason: .decoding, message: "wanted a day, found an infinite date")
        }
        return PostgresDate(daysSinceEpoch2000: Int(value))
    }
}
