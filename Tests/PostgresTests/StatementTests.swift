import Postgres
import TestDatabase
import Testing

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

@Suite(.emptyDatabase) struct `Statements` {
    @Test func `tell how many rows they touched`() async throws {
        let pool = TestDatabase.current.pool()
        try await pool.execute("CREATE TABLE number (value int8)")
        #expect(try await pool.execute("INSERT INTO number SELECT generate_series(1, $1::int8)", 7) == 7)
        #expect(try await pool.execute("UPDATE number SET value = 0 WHERE value > $1", 5) == 2)
        let rows = try await pool.query("SELECT value FROM number WHERE value > 0 ORDER BY value")
        #expect(try rows.map { (row) in try row.decode("value", as: Int.self) } == [1, 2, 3, 4, 5])
        #expect(rows.affectedRows == 5)
    }

    @Test func `name the violated constraint and keep values out of the error`() async throws {
        let pool = TestDatabase.current.pool()
        try await pool.execute("CREATE TABLE person (name text CONSTRAINT person_once UNIQUE)")
        try await pool.execute("INSERT INTO person VALUES ($1)", "hidden value")
        let error = try await #require(throws: PostgresError.self) {
            try await pool.execute("INSERT INTO person VALUES ($1)", "hidden value")
        }
        #expect(error.reason == .server)
        #expect(error.sqlState == "23505")
        #expect(error.constraint == "person_once")
        #expect(!error.description.contains("hidden"))
        #expect(!error.isTransient)
    }

    @Test func `keep a badly written value out of the error`() async throws {
        let pool = TestDatabase.current.pool()
        for sql: Statement in ["SELECT $1::int", "SELECT $1::timestamptz", "SELECT $1::uuid", "SELECT $1::jsonb"] {
            let error = try await #require(throws: PostgresError.self) { try await pool.query(sql, "hidden value") }
            #expect(error.sqlState?.hasPrefix("22") == true)
            #expect(!error.description.contains("hidden"))
        }
    }

    @Test func `that run too long are stopped and leave the connection usable`() async throws {
        let configuration = PostgresConfiguration(
            url: TestDatabase.current.url, statementTimeout: .seconds(3), maximumConnections: 1)
        let pool = TestDatabase.current.pool(configuration)
        let before: Int = try await pool.query("SELECT pg_backend_pid()")[0].decode(at: 0)
        let error = try await #require(throws: PostgresError.self) { try await pool.query("SELECT pg_sleep(60)") }
        #expect(error.reason == .timeout)
        #expect(error.sqlState == "57014")
        #expect(error.isTransient)
        #expect(try await pool.query("SELECT pg_backend_pid()")[0].decode(at: 0) == before)
    }

    @Test func `are cancelled on the server with their task`() async throws {
        let pool = TestDatabase.current.pool(maximumConnections: 1)
        let process: Int = try await pool.query("SELECT pg_backend_pid()")[0].decode(at: 0)
        let error = await withTaskGroup(of: PostgresError?.self) { group in
            group.addTask { await failure(of: "SELECT pg_sleep(600)", in: pool) }
            await untilRunning(process)
            group.cancelAll()
            return await group.next() ?? nil
        }
        #expect(error?.reason == .cancelled)
        #expect(error?.isTransient == false)
        #expect(try await pool.query("SELECT pg_backend_pid()")[0].decode(at: 0) == process)
    }

    @Test func `are not sent by a cancelled task`() async throws {
        let pool = TestDatabase.current.pool(maximumConnections: 1)
        try await pool.execute("CREATE TABLE trace (x int)")
        await withTaskGroup(of: Void.self) { group in
            group.cancelAll()
            group.addTask {
                await #expect(throws: PostgresError.self) { try await pool.execute("INSERT INTO trace VALUES (1)") }
            }
        }
        #expect(try await pool.query("SELECT count(*) FROM trace")[0].decode(at: 0) == 0)
    }

    @Test func `cancelled by somebody else say so`() async throws {
        let pool = TestDatabase.current.pool()
        async let outcome = failure(of: "SELECT pg_sleep(600)", in: pool)
        var cancelled = false
        while !cancelled {
            cancelled = try await !pool.query(
                """
                SELECT pg_cancel_backend(pid) FROM pg_stat_activity
                WHERE wait_event = 'PgSleep' AND datname = current_database()
                """
            ).isEmpty
        }
        let error = await outcome
        #expect(error?.reason == .cancelled)
        #expect(error?.sqlState == "57014")
    }

    @Test func `survive a change of their table`() async throws {
        let pool = TestDatabase.current.pool(maximumConnections: 1)
        try await pool.execute("CREATE TABLE shape (a int8)")
        #expect(try await pool.query("SELECT * FROM shape").columnNames == ["a"])
        try await pool.execute("ALTER TABLE shape ADD COLUMN b int8")
        #expect(try await pool.query("SELECT * FROM shape").columnNames == ["a", "b"])
    }

    @Test func `of one text with other types are other statements`() async throws {
        let pool = TestDatabase.current.pool(maximumConnections: 1)
        #expect(try await pool.query("SELECT pg_typeof($1)::text", 1)[0].decode(at: 0) == "bigint")
        #expect(try await pool.query("SELECT pg_typeof($1)::text", true)[0].decode(at: 0) == "boolean")
    }

    @Test func `beyond what a connection keeps still run`() async throws {
        let pool = TestDatabase.current.pool(maximumConnections: 1)
        for number in 0..<600 {
            #expect(try await pool.query(Statement("SELECT \(number)"))[0].decode(at: 0, as: Int.self) == number)
        }
        let kept: Int = try await pool.query("SELECT count(*) FROM pg_prepared_statements")[0].decode(at: 0)
        #expect(kept <= 257)
    }

    @Test func `that copy are refused and cost only the connection`() async throws {
        let pool = TestDatabase.current.pool(maximumConnections: 1)
        let error = try await #require(throws: PostgresError.self) { try await pool.query("COPY (SELECT 1) TO STDOUT") }
        #expect(error.reason == .usage)
        #expect(try await pool.query("SELECT 1")[0].decode(at: 0, as: Int.self) == 1)
    }

    @Test func `answer the same on every server`() async throws {
        let rows = try await TestDatabase.current.pool().query("SELECT '2026-07-01 12:00+02'::timestamptz::text")
        #expect(try rows[0].decode(at: 0) == "2026-07-01 10:00:00+00")
    }

    @Test func `run under the configured role and settings`() async throws {
        let database = TestDatabase.current
        try await database.pool().execute("CREATE ROLE \"usage \"\"reader\"")
        let configuration = PostgresConfiguration(
            url: database.url, role: "usage \"reader", settings: ["work_mem": "123kB"])
        let row = try await database.pool(configuration).query(
            "SELECT current_user::text, current_setting('work_mem'), current_setting('application_name')")[0]
        #expect(try row.decode(at: 0) == "usage \"reader")
        #expect(try row.decode(at: 1) == "123kB")
        #expect(try row.decode(at: 2) == "usage")
        try await database.pool().execute("DROP ROLE \"usage \"\"reader\"")
    }

    private func failure(of statement: Statement, in pool: ConnectionPool) async -> PostgresError? {
        do throws(PostgresError) { _ = try await pool.query(statement) } catch { return error }
        return nil
    }

    private func untilRunning(_ process: Int) async {
        let watcher = TestDatabase.current.pool(maximumConnections: 1)
        var isRunning = false
        while !isRunning {
            let rows = try? await watcher.query(
                "SELECT FROM pg_stat_activity WHERE pid = $1::int AND wait_event = 'PgSleep'", process)
            isRunning = rows?.isEmpty == false
        }
    }
}
