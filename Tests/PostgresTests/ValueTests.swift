import Postgres
import TestDatabase
import Testing

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

@Suite(.emptyDatabase) struct `Values` {
    private func roundTrip<T: PostgresEncodable & PostgresDecodable>(_ value: T, cast: String = "") async throws -> T {
        let pool = TestDatabase.current.pool(maximumConnections: 1)
        return try await pool.query(Statement("SELECT $1\(cast) AS value"), value)[0].decode("value")
    }

    private func read<T: PostgresDecodable>(_ expression: String, as type: T.Type = T.self) async throws -> T {
        let pool = TestDatabase.current.pool(maximumConnections: 1)
        return try await pool.query(Statement("SELECT \(expression) AS value"))[0].decode("value")
    }

    @Test(arguments: [true, false]) func `of truth come back`(value: Bool) async throws {
        #expect(try await roundTrip(value) == value)
    }

    @Test(arguments: [Int.min, -1, 0, 42, Int.max]) func `of whole numbers come back`(value: Int) async throws {
        #expect(try await roundTrip(value) == value)
        #expect(try await roundTrip(Int64(value)) == Int64(value))
    }

    @Test(arguments: [Int32.min, 0, .max]) func `of 32 bits come back`(value: Int32) async throws {
        #expect(try await roundTrip(value) == value)
    }

    @Test func `of smaller columns are read as larger numbers`() async throws {
        #expect(try await read("(-7)::int2", as: Int.self) == -7)
        #expect(try await read("7::int4", as: Int64.self) == 7)
        #expect(try await read("4294967295::oid", as: Int.self) == 4_294_967_295)
        #expect(try await read("1.5::float4", as: Double.self) == 1.5)
        #expect(try await read("255::int2", as: UInt8.self) == 255)
    }

    @Test(arguments: [0.1, -.infinity, .greatestFiniteMagnitude, .leastNonzeroMagnitude])
    func `of floating point come back`(value: Double) async throws {
        #expect(try await roundTrip(value) == value)
    }

    @Test func `that are not a number come back`() async throws {
        #expect(try await roundTrip(Double.nan).isNaN)
        #expect(try await roundTrip(Decimal.nan).isNaN)
    }

    @Test(arguments: ["", "plain", "q'uote \"\\ $1", "Zürich 🇨🇭", "a\nb\tc"])
    func `of text come back`(value: String) async throws {
        #expect(try await roundTrip(value) == value)
    }

    @Test func `of text in other forms are read`() async throws {
        #expect(try await read("'ab'::varchar(5)", as: String.self) == "ab")
        #expect(try await read("'ab'::name", as: String.self) == "ab")
        #expect(try await read("'{\"a\": 1}'::json", as: String.self) == "{\"a\": 1}")
        let pool = TestDatabase.current.pool(maximumConnections: 1)
        try await pool.execute("CREATE TYPE mood AS ENUM ('calm', 'late')")
        #expect(try await read("'late'::mood", as: String.self) == "late")
    }

    @Test func `of text cannot hold a zero character`() async throws {
        let error = try await #require(throws: PostgresError.self) { try await roundTrip("a\0b") }
        #expect(error.reason == .usage)
    }

    @Test func `of UUIDs and bytes come back`() async throws {
        let id = UUID()
        #expect(try await roundTrip(id) == id)
        #expect(try await read("'\(id.uuidString)'::uuid", as: UUID.self) == id)
        let bytes = (0...255).map(UInt8.init)
        #expect(try await roundTrip(bytes) == bytes)
        #expect(try await roundTrip([UInt8]()) == [])
        #expect(try await roundTrip([bytes, []]) == [bytes, []])
    }

    @Test func `of moments come back to the microsecond`() async throws {
        for moment in [0, 1_764_000_000.123456, -62_135_596_800, 4_102_444_800.000001] {
            let date = Date(timeIntervalSince1970: moment)
            let back = try await roundTrip(date)
            #expect(abs(back.timeIntervalSince(date)) < 0.0000005)
        }
    }

    @Test(arguments: [
        ("2026-03-29 00:59:59.999999+00", 1_774_745_999.999999), ("2026-03-29 01:00:00+00", 1_774_746_000),
        ("2026-10-25 02:30:00+02", 1_792_888_200), ("2026-10-25 02:30:00+01", 1_792_891_800),
    ])
    func `of moments around a change of clocks are told apart`(text: String, seconds: Double) async throws {
        #expect(try await read("'\(text)'::timestamptz", as: Date.self) == Date(timeIntervalSince1970: seconds))
    }

    @Test func `of moments have bounds`() async throws {
        await #expect(throws: PostgresError.self) { try await roundTrip(Date.distantFuture + 1e13) }
        await #expect(throws: PostgresError.self) { try await roundTrip(Date(timeIntervalSince1970: .nan)) }
        await #expect(throws: PostgresError.self) { try await read("'infinity'::timestamptz", as: Date.self) }
        #expect(try await roundTrip(Date.distantPast) == .distantPast)
    }

    @Test(arguments: ["2026-05-01", "2024-02-29", "1999-12-31", "0001-01-01", "9999-12-31", "2000-01-01"])
    func `of days come back`(text: String) async throws {
        let day = try #require(PostgresDate(text))
        #expect(day.description == text)
        #expect(try await roundTrip(day) == day)
        #expect(try await read("'\(text)'::date", as: PostgresDate.self) == day)
    }

    @Test(arguments: [
        "0", "1", "-1", "1.5", "-0.0001", "10000", "9999.9999", "100000000", "0.00000000000000000001",
        "12345678901234567890123456789012345678", "0.1234567890123456789", "-98765.4321",
    ])
    func `of decimals come back`(text: String) async throws {
        let value = try #require(Decimal(string: text))
        #expect(try await roundTrip(value) == value)
        #expect(try await read("\(text)::numeric", as: Decimal.self) == value)
        let pool = TestDatabase.current.pool(maximumConnections: 1)
        #expect(try await pool.query("SELECT $1::numeric::text", value)[0].decode(at: 0) == value.description)
    }

    @Test func `of decimals keep their value whatever the column's scale`() async throws {
        #expect(try await read("1.50::numeric(10,4)", as: Decimal.self) == Decimal(string: "1.5"))
        #expect(try await read("1200::numeric(10,0)", as: Decimal.self) == 1200)
    }

    @Test func `of decimals that are too long are refused`() async throws {
        let error = try await #require(throws: PostgresError.self) {
            try await read("123456789012345678901234567890123456789.1", as: Decimal.self)
        }
        #expect(error.reason == .decoding)
        #expect(!error.message.contains("123456"))
    }

    @Test func `of texts become JSON that PostgreSQL reads back as the same texts`() async throws {
        let odd = ["", "a\"b\\c/d", "\u{1}\u{8}\t\n\r\u{1F}\u{7F}", "Grüße, 世界 👩‍🚀", "\u{2028}", "{}", "null"]
        #expect(try await texts(of: JSONB(array: odd)) == odd)
        #expect(try await texts(of: JSONB(array: [])) == [])
        for text in odd {
            let row = try await TestDatabase.current.pool().query(
                "SELECT $1::jsonb ->> $2", JSONB(object: [text: text]), text)[0]
            #expect(try row.decode(at: 0, as: String.self) == text)
        }
        #expect(JSONB(object: [:]).text == "{}")
        let many = Dictionary(uniqueKeysWithValues: (0..<20).map { ("name \($0)", "\($0)") })
        let read = try await TestDatabase.current.pool().query("SELECT $1::jsonb::text", JSONB(object: many))[0]
        #expect(
            try JSONDecoder().decode([String: String].self, from: Data(read.decode(at: 0, as: String.self).utf8))
                == many)
    }

    private func texts(of json: JSONB) async throws -> [String] {
        try await TestDatabase.current.pool().query("SELECT ARRAY(SELECT jsonb_array_elements_text($1::jsonb))", json)[
            0
        ]
        .decode(at: 0)
    }

    @Test func `of JSON come back`() async throws {
        #expect(try await roundTrip(JSONB(text: "{\"b\": [1, 2]}")).text == "{\"b\": [1, 2]}")
        #expect(try await read("'[1]'::json", as: JSONB.self).text == "[1]")
    }

    @Test func `that are NULL are nil`() async throws {
        #expect(try await roundTrip(Int?.none) == nil)
        #expect(try await roundTrip(String?("x")) == "x")
        #expect(try await roundTrip(Date?.none) == nil)
        #expect(try await roundTrip([Int]?.none) == nil)
    }

    @Test func `of arrays come back`() async throws {
        #expect(try await roundTrip([1, 2, 3]) == [1, 2, 3])
        #expect(try await roundTrip([Int]()) == [])
        #expect(try await roundTrip(["a", nil, ""]) == ["a", nil, ""])
        #expect(try await roundTrip([UUID?.none]) == [nil])
        #expect(try await roundTrip([true, false]) == [true, false])
        #expect(try await roundTrip([Decimal(1), 2]) == [1, 2])
        #expect(try await roundTrip([JSONB(text: "1")]) == [JSONB(text: "1")])
        #expect(try await roundTrip([PostgresDate(daysSinceEpoch2000: 1)]).map(\.description) == ["2000-01-02"])
    }

    @Test func `of arrays with a NULL do not become arrays without`() async throws {
        let error = try await #require(throws: PostgresError.self) {
            try await read("'{1,NULL}'::int8[]", as: [Int].self)
        }
        #expect(error.message == "column \"value\": wanted int8, found NULL")
        await #expect(throws: PostgresError.self) { try await read("'{{1},{2}}'::int8[]", as: [Int].self) }
    }

    @Test func `of another type are refused by name`() async throws {
        let error = try await #require(throws: PostgresError.self) { try await read("'secret'::text", as: UUID.self) }
        #expect(error == PostgresError(reason: .decoding, message: "column \"value\": wanted uuid, found text"))
        #expect(!error.isTransient)
        let null = try await #require(throws: PostgresError.self) { try await read("NULL::int8", as: Int.self) }
        #expect(null.message == "column \"value\": wanted int8, found NULL")
        let array = try await #require(throws: PostgresError.self) { try await read("1", as: [Int].self) }
        #expect(array.message == "column \"value\": wanted an array, found int4")
    }

    @Test func `of a column that is not there are refused`() async throws {
        let rows = try await TestDatabase.current.pool().query("SELECT 1 AS one, 2 AS two")
        #expect(rows.columnNames == ["one", "two"])
        #expect(throws: PostgresError(reason: .decoding, message: "there is no column \"three\"")) {
            try rows[0].decode("three", as: Int.self)
        }
        #expect(try rows[0].decode(at: 1, as: Int.self) == 2)
    }
}

@Suite struct `A day` {
    @Test func `is checked against the calendar`() {
        #expect(PostgresDate(year: 2025, month: 2, day: 29) == nil)
        #expect(PostgresDate(year: 2100, month: 2, day: 29) == nil)
        #expect(PostgresDate(year: 2000, month: 2, day: 29) != nil)
        #expect(PostgresDate("2026-13-01") == nil)
        #expect(PostgresDate("2026-5-1") == nil)
        #expect(PostgresDate("2026-05-01x") == nil)
    }

    @Test func `follows the day before it for four thousand years`() {
        var day = PostgresDate(year: -1000, month: 1, day: 1)
        for number in (day?.daysSinceEpoch2000 ?? 0)..<400_000 {
            let next = PostgresDate(daysSinceEpoch2000: number)
            guard PostgresDate(year: next.year, month: next.month, day: next.day) == next,
                next.daysSinceEpoch2000 == number, day.map({ $0 <= next }) ?? false
            else {
                Issue.record("day \(number) is wrong: \(next)")
                return
            }
            day = next
        }
    }
}
