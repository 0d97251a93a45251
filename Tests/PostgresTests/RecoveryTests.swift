import Logging
import Postgres
import TestDatabase
import Testing

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

@Suite struct `When the server fails` {
    private func pool(_ url: String, _ change: (inout PostgresConfiguration) -> Void = { _ in }) -> ConnectionPool {
        var configuration = PostgresConfiguration(
            url: url, connectTimeout: .seconds(5), statementTimeout: .seconds(5), grace: .seconds(1),
            maximumConnections: 2)
        change(&configuration)
        return ConnectionPool(configuration, logger: .init(label: "test"))
    }

    @Test func `and comes back, a pool goes on with what was committed`() async throws {
        let server = try TestDatabase.server()
        defer { server.remove() }
        let pool = pool(server.url)
        try await pool.execute("CREATE TABLE entry (id int8)")
        try await pool.execute("INSERT INTO entry VALUES (1)")
        let during = try await #require(throws: PostgresError.self) {
            try await pool.withConnection { (connection) throws(PostgresError) in
                try await connection.transaction { (transaction) throws(PostgresError) in
                    try transaction.execute("INSERT INTO entry VALUES (2)")
                    server.kill()
                    return try transaction.execute("INSERT INTO entry VALUES (3)")
                }
            }
        }
        #expect(during.reason == .connection)
        let without = try await #require(throws: PostgresError.self) { try await pool.query("SELECT 1") }
        #expect(without.reason == .unreachable)
        #expect(without.isTransient)
        try server.start()
        #expect(
            try await pool.query("SELECT id FROM entry").map { (row) in try row.decode(at: 0, as: Int.self) } == [1])
        try server.restart()
        #expect(try await pool.query("SELECT id FROM entry").count == 1)
    }

    @Test func `and freezes, callers get an answer all the same`() async throws {
        let server = try TestDatabase.server()
        defer { server.remove() }
        let pool = pool(server.url)
        let watcher = self.pool(server.url)
        // One process that has frozen in the middle of a statement.
        let process: Int = try await pool.query("SELECT pg_backend_pid()")[0].decode(at: 0)
        kill(Int32(process), SIGSTOP)
        let silent = try await #require(throws: PostgresError.self) { try await pool.query("SELECT 1") }
        #expect(silent.reason == .timeout)
        #expect(silent.isTransient)
        kill(Int32(process), SIGCONT)
        #expect(try await pool.query("SELECT 1").count == 1)
        #expect(try await watcher.query("SELECT 1").count == 1)
        // All of it, so that not even a new connection is answered.
        let first = try #require(server.processID)
        server.freeze()
        let unreachable = try await #require(throws: PostgresError.self) {
            try await self.pool(server.url).query("SELECT 1")
        }
        #expect(unreachable.reason == .unreachable)
        server.thaw(first)
        #expect(try await pool.query("SELECT 1").count == 1)
    }

    @Test func `to know a password, the error does not repeat it`() async throws {
        let server = try TestDatabase.server()
        defer { server.remove() }
        try await pool(server.url).execute("CREATE ROLE guest LOGIN PASSWORD 'right horse'")
        let rules = "\(server.dataDirectory)/pg_hba.conf"
        let before = try String(contentsOfFile: rules, encoding: .utf8)
        try Data("local all guest scram-sha-256\n\(before)".utf8).write(to: URL(filePath: rules))
        try await pool(server.url).execute("SELECT pg_reload_conf()")
        let url = server.url.replacing("user=usage", with: "user=guest&password=")
        var refused: PostgresError?
        // Until the server has read its rules, it lets everybody in.
        while refused == nil {
            do throws(PostgresError) { try await pool(url + "wrong-horse").execute("SELECT 1") } catch {
                refused = error
            }
        }
        #expect(refused?.reason == .unreachable)
        #expect(refused?.description.contains("wrong-horse") == false)
        #expect(try await pool(url + "right%20horse").query("SELECT current_user::text")[0].decode(at: 0) == "guest")
    }

    @Test(arguments: ["postgresql://me:hidden@[host/db", "hidden", "postgres://me:hidden@host/db?hidden=1", ""])
    func `to be a URL, the error does not repeat it`(url: String) async throws {
        let error = try await #require(throws: PostgresError.self) { try await pool(url).query("SELECT 1") }
        #expect(error.reason == .usage)
        #expect(!error.isTransient)
        #expect(error.message.hasPrefix("DATABASE_URL cannot be parsed"))
        #expect(!error.description.contains("hidden"))
        #expect(!"\(PostgresConfiguration(url: url))".contains("hidden"))
    }

    @Test func `to be on the first host, the next one is taken`() async throws {
        let database = try await TestDatabase.emptyDatabase()
        let url = database.url.replacing("host=", with: "host=/nowhere,") + "&target_session_attrs=read-write"
        #expect(try await pool(url).query("SELECT 1").count == 1)
        try await database.drop()
    }
}
