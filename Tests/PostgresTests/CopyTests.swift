import Postgres
import Synchronization
import TestDatabase
import Testing

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

@Suite(.emptyDatabase) struct `A copy` {
    private static let rows = 200_000

    /// The memory that this process has, or the most that it has had since ``forgetPeak()``, in bytes.
    private func memory(_ name: String) throws -> Int {
        let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
        let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("\(name):") })
        return try #require(Int(line.filter(\.isNumber))) * 1024
    }

    private func forgetPeak() throws {
        try Data("5".utf8).write(to: URL(filePath: "/proc/self/clear_refs"))
    }

    @Test func `streams many rows in and out in little memory`() async throws {
        let pool = TestDatabase.current.pool(maximumConnections: 1)
        try await pool.execute("CREATE TABLE line (id int8, filling text)")
        // The data is 100 MB. Other tests run at the same time and take some, but not each time.
        var taken = Int.max
        for _ in 1...5 where taken >= 80_000_000 {
            try await pool.execute("TRUNCATE line")
            try forgetPeak()
            let before = try memory("VmRSS")
            try await copyInAndOut(pool)
            taken = try memory("VmHWM") - before
        }
        #expect(taken < 80_000_000)
    }

    private func copyInAndOut(_ pool: ConnectionPool) async throws {
        let filling = String(repeating: "x", count: 500)
        let copied = try await pool.transaction { (transaction) throws(PostgresError) in
            var next = 0
            return try transaction.copyIn("COPY line FROM STDIN (FORMAT csv)") { () throws(PostgresError) in
                guard next < Self.rows else { return nil }
                let chunk = (next..<min(next + 1_000, Self.rows)).map { "\($0),\(filling)\n" }.joined()
                next += 1_000
                return Array(chunk.utf8)
            }
        }
        #expect(copied == Self.rows)
        let (rows, bytes) = try await pool.transaction { (transaction) throws(PostgresError) in
            var (rows, bytes) = (0, 0)
            let sent = try transaction.copyOut("COPY line TO STDOUT (FORMAT csv)") { (row) throws(PostgresError) in
                rows += 1
                bytes += row.count
            }
            return (sent == rows ? rows : -1, bytes)
        }
        #expect(rows == Self.rows)
        #expect(bytes > 100_000_000)
    }

    @Test func `takes chunks that end anywhere`() async throws {
        let pool = TestDatabase.current.pool(maximumConnections: 1)
        try await pool.execute("CREATE TABLE line (id int8, word text)")
        let chunks = Mutex(["1,o", "ne\n2", "", ",two", "\n"].map { Array($0.utf8) })
        let copied = try await pool.transaction { (transaction) throws(PostgresError) in
            try transaction.copyIn("COPY line FROM STDIN (FORMAT csv)") { () throws(PostgresError) in
                chunks.withLock { $0.isEmpty ? nil : $0.removeFirst() }
            }
        }
        #expect(copied == 2)
        #expect(try await pool.query("SELECT word FROM line ORDER BY id")[1].decode(at: 0) == "two")
    }

    @Test func `out ends with the error of its sink and leaves the connection usable`() async throws {
        let pool = TestDatabase.current.pool(maximumConnections: 1)
        let process: Int = try await pool.query("SELECT pg_backend_pid()")[0].decode(at: 0)
        let own = PostgresError(reason: .usage, message: "the reader has left")
        await #expect(throws: own) {
            try await pool.transaction { (transaction) throws(PostgresError) in
                var rows = 0
                return try transaction.copyOut("COPY (SELECT generate_series(1, 10000000)) TO STDOUT") {
                    (_) throws(PostgresError) in
                    rows += 1
                    if rows == 1_000 { throw own }
                }
            }
        }
        #expect(try await pool.query("SELECT pg_backend_pid()")[0].decode(at: 0) == process)
    }

    @Test func `in ends with the error of its source and keeps nothing`() async throws {
        let pool = TestDatabase.current.pool(maximumConnections: 1)
        try await pool.execute("CREATE TABLE line (id int8)")
        let own = PostgresError(reason: .usage, message: "the file ends too early")
        await #expect(throws: own) {
            try await pool.transaction { (transaction) throws(PostgresError) in
                var chunks = 0
                return try transaction.copyIn("COPY line FROM STDIN") { () throws(PostgresError) in
                    chunks += 1
                    if chunks == 10 { throw own }
                    return Array("\(chunks)\n".utf8)
                }
            }
        }
        #expect(try await pool.query("SELECT FROM line").isEmpty)
    }

    @Test func `reports what the server makes of the data without repeating it`() async throws {
        let pool = TestDatabase.current.pool(maximumConnections: 1)
        try await pool.execute("CREATE TABLE line (id int8)")
        let error = try await #require(throws: PostgresError.self) {
            try await pool.transaction { (transaction) throws(PostgresError) in
                var chunks = 0
                return try transaction.copyIn("COPY line FROM STDIN") { () throws(PostgresError) in
                    chunks += 1
                    return chunks > 100 ? nil : Array("hidden value\n".utf8)
                }
            }
        }
        #expect(error.sqlState == "22P02")
        #expect(!error.description.contains("hidden"))
        #expect(try await pool.query("SELECT FROM line").isEmpty)
    }

    @Test func `out reports an error in the middle`() async throws {
        let pool = TestDatabase.current.pool(maximumConnections: 1)
        let error = try await #require(throws: PostgresError.self) {
            try await pool.transaction { (transaction) throws(PostgresError) in
                try transaction.copyOut("COPY (SELECT 1 / (5000 - n) FROM generate_series(1, 9000) n) TO STDOUT") { _ in
                }
            }
        }
        #expect(error.sqlState == "22012")
        #expect(try await pool.query("SELECT 1").count == 1)
    }

    @Test func `that goes the other way is a wrong use`() async throws {
        let pool = TestDatabase.current.pool(maximumConnections: 1)
        for sql: Statement in ["SELECT 1", "COPY pg_class TO STDOUT"] {
            let error = try await #require(throws: PostgresError.self) {
                try await pool.transaction { (transaction) throws(PostgresError) in try transaction.copyIn(sql) { nil }
                }
            }
            #expect(error.reason == .usage)
        }
        let error = try await #require(throws: PostgresError.self) {
            try await pool.transaction { (transaction) throws(PostgresError) in
                try transaction.copyOut("COPY nothing_here TO STDOUT") { _ in }
            }
        }
        #expect(error.sqlState == "42P01")
    }
}
