import Foundation

@testable import Postgres

extension Decoder {
    /// Values in PostgreSQL's binary format: the first two bytes choose the column's type and the wanted one.
    ///
    /// Whatever the bytes, there is a value that encodes to the same value again, or an error of the kind `decoding`
    /// that does not repeat them.
    static let postgresValue = Decoder(name: "postgres-value", maximumBytes: 512) { bytes in
        guard bytes.count >= 2 else { return }
        let type = types[Int(bytes[0]) % types.count]
        let value = Array(bytes.dropFirst(2))
        switch bytes[1] % 20 {
        case 0: try holdValue(Bool.self, value, type)
        case 1: try holdValue(Int64.self, value, type)
        case 2: try holdValue(Int.self, value, type)
        case 3: try holdValue(Int32.self, value, type)
        case 4: try holdDouble(value, type)
        case 5: try holdValue(String.self, value, type)
        case 6: try holdValue(UUID.self, value, type)
        case 7: try holdDate(value, type)
        case 8: try holdValue(PostgresDate.self, value, type)
        case 9: try holdNumeric(value, type)
        case 10: try holdValue(JSONB.self, value, type)
        case 11: try holdValue([UInt8].self, value, type)
        case 12: try holdValue([Int64].self, value, type)
        case 13: try holdValue([String].self, value, type)
        case 14: try holdValue([String?].self, value, type)
        case 15: try holdValue([UUID].self, value, type)
        case 16: try holdValue([JSONB?].self, value, type)
        case 17: try holdValue([PostgresDate?].self, value, type)
        case 18: try holdValue(UInt8.self, value, type)
        default: try holdValue(Optional<Int64>.self, value, type)
        }
    }

    /// A built-in type each, one of a user's, and arrays of some.
    private static let types =
        [
            16, 17, 18, 19, 20, 21, 23, 25, 26, 114, 142, 700, 701, 705, 869, 1042, 1043, 1082, 1114, 1184, 1700, 2950,
            3802,
        ]
        .map { PostgresType(oid: $0) }
        + [1000, 1001, 1005, 1007, 1009, 1016, 1182, 1231, 2951, 3807, 16_400]
        .map { PostgresType(oid: $0) }

    private static func read<Value: PostgresDecodable>(
        _: Value.Type, _ bytes: [UInt8], _ type: PostgresType
    ) throws -> Value? {
        do {
            return try bytes.withUnsafeBytes { (buffer) throws(PostgresError) in try Value.decode(buffer, type: type) }
        } catch let error as PostgresError {
            try hold(error.reason == .decoding, "the reason is \(error.reason)")
            try holdSentence(error.message, atMost: 200)
            return nil
        }
    }

    private static func written<Value: PostgresEncodable>(_ value: Value) throws -> [UInt8] {
        var bytes: [UInt8] = []
        try hold(try value.encode(into: &bytes), "a value is written as NULL")
        return bytes
    }

    /// What is read is written, and read back as the same, in the type that it is bound as.
    private static func holdValue<Value: PostgresDecodable & PostgresEncodable & Equatable>(
        _: Value.Type, _ bytes: [UInt8], _ type: PostgresType
    ) throws {
        guard let value = try read(Value.self, bytes, type) else { return }
        do {
            let again = try read(Value.self, try written(value), Value.postgresType)
            try hold(again == value, "\(type) reads back as another value")
        } catch let error as PostgresError {
            // A text read from a type of bytes may hold what text may not.
            try hold(error.message.contains("U+0000"), error.message)
        }
    }

    private static func holdDouble(_ bytes: [UInt8], _ type: PostgresType) throws {
        guard let value = try read(Double.self, bytes, type), !value.isNaN else { return }
        try hold(try read(Double.self, try written(value), .float8) == value, "\(value) is read back otherwise")
    }

    private static func holdDate(_ bytes: [UInt8], _ type: PostgresType) throws {
        guard let value = try read(Date.self, bytes, type) else { return }
        // Within 200 years of 2000 a Date keeps every microsecond.
        guard abs(value.timeIntervalSinceReferenceDate) < 6_300_000_000 else { return }
        try hold(try written(value) == bytes, "\(value) lost a microsecond")
    }

    private static func holdNumeric(_ bytes: [UInt8], _ type: PostgresType) throws {
        guard let value = try read(Decimal.self, bytes, type), !value.isNaN else { return }
        let again = try read(Decimal.self, try written(value), .numeric)
        try hold(again == value, "\(value) is read back as \(again.map { "\($0)" } ?? "nothing")")
        // Digit by digit: the first group stands for its value times 10,000 to the power of the weight.
        let groups = stride(from: 8, to: bytes.count, by: 2).map { Int(bytes[$0]) << 8 | Int(bytes[$0 + 1]) }
        try hold(groups.allSatisfy { $0 <= 9999 }, "a group of four digits has five")
        let digits = groups.map { String($0 + 10_000).dropFirst() }.joined()
        let weight = Int(Int16(truncatingIfNeeded: Int(bytes[2]) << 8 | Int(bytes[3])))
        let exponent = (weight - groups.count + 1) * 4
        let sign = bytes[4] == 0x40 ? "-" : ""
        let significant = digits.drop { $0 == "0" }
        guard !significant.isEmpty else { return try hold(value == 0, "nothing is \(value)") }
        let trimmed = String(significant.reversed().drop { $0 == "0" }.reversed())
        let scale = exponent + significant.count - trimmed.count
        try hold(Decimal(string: "\(sign)\(trimmed)e\(scale)") == value, "\(sign)\(trimmed)e\(scale) is \(value)")
    }
}
