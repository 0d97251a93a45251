import Postgres
import TestDatabase
import Testing

@Suite(.emptyDatabase) struct `A pool` {
    private func small(acquireTimeout: Duration = .seconds(60), maximumWaiting: Int = 100) -> ConnectionPool {
        TestDatabase.current.pool(
            PostgresConfiguration(
                url: TestDatabase.current.url, maximumConnections: 1, acquireTimeout: acquireTimeout,
                maximumWaiting: maximumWaiting))
    }

    /// Runs a body while the pool's only connection is lent to somebody else.
    private func whileTaken(_ pool: ConnectionPool, _ body: @Sendable () async throws -> Void) async throws {
        try await withThrowingTaskGroup { group in
            let (taken, hasTaken) = AsyncStream.makeStream(of: Void.self)
            let (end, ends) = AsyncStream.makeStream(of: Void.self)
            group.addTask {
                try await pool.withConnection { (_) throws(PostgresError) in
                    hasTaken.finish()
                    for await _ in end {}
                }
            }
            for await _ in taken {}
            do { try await body() } catch {
                ends.finish()
                throw error
            }
            ends.finish()
            try await group.waitForAll()
        }
    }

    @Test func `never opens more connections than it may`() async throws {
        let pool = TestDatabase.current.pool(maximumConnections: 3)
        let processes = try await withThrowingTaskGroup { group in
            for _ in 0..<60 {
                group.addTask { try await pool.query("SELECT pg_backend_pid()")[0].decode(at: 0, as: Int.self) }
            }
            return try await group.reduce(into: Set<Int>()) { $0.insert($1) }
        }
        #expect((1...3).contains(processes.count))
    }

    @Test func `gives up on a caller who waits too long`() async throws {
        let pool = small(acquireTimeout: .milliseconds(50))
        try await whileTaken(pool) {
            let error = try await #require(throws: PostgresError.self) { try await pool.query("SELECT 1") }
            #expect(error.reason == .poolExhausted)
            #expect(error.isTransient)
        }
        #expect(try await pool.query("SELECT 1").count == 1)
    }

    @Test func `refuses more callers than may wait`() async throws {
        let pool = small(maximumWaiting: 0)
        try await whileTaken(pool) {
            let error = try await #require(throws: PostgresError.self) { try await pool.query("SELECT 1") }
            #expect(error.reason == .poolExhausted)
        }
    }

    @Test func `lets go of a caller whose task is cancelled`() async throws {
        let pool = small()
        try await whileTaken(pool) {
            await withTaskGroup(of: Void.self) { group in
                for _ in 0..<20 {
                    group.addTask {
                        let error = try? await #require(throws: PostgresError.self) { try await pool.query("SELECT 1") }
                        #expect(error?.reason == .cancelled)
                    }
                }
                group.cancelAll()
            }
        }
        #expect(try await pool.query("SELECT 1").count == 1)
    }

    @available(macOS 26, *)
    @Test func `serves callers in the order they came`() async throws {
        let pool = small()
        let (served, serves) = AsyncStream.makeStream(of: Int.self)
        let (taken, hasTaken) = AsyncStream.makeStream(of: Void.self)
        let (end, ends) = AsyncStream.makeStream(of: Void.self)
        try await withThrowingTaskGroup { group in
            group.addTask {
                try await pool.withConnection { (_) throws(PostgresError) in
                    hasTaken.finish()
                    for await _ in end {}
                }
            }
            for await _ in taken {}
            for number in 0..<10 {
                // An immediate task runs until it waits, so each is in line before the next one starts.
                group.addImmediateTask {
                    try await pool.withConnection { (_) throws(PostgresError) in _ = serves.yield(number) }
                }
            }
            ends.finish()
            try await group.waitForAll()
        }
        serves.finish()
        #expect(await served.reduce(into: []) { $0.append($1) } == Array(0..<10))
    }

    @Test func `takes a connection back clean`() async throws {
        let pool = small()
        await #expect(throws: PostgresError.self) {
            try await pool.withConnection { (connection) throws(PostgresError) in
                try await connection.execute("BEGIN")
                try await connection.execute("CREATE TABLE leftover (x int)")
                throw PostgresError(reason: .usage, message: "no")
            }
        }
        #expect(try await pool.query("SELECT to_regclass('leftover') IS NULL")[0].decode(at: 0) == true)
    }

    @Test func `lets nobody use a connection that was handed back`() async throws {
        let pool = small()
        let escaped = try await pool.withConnection { (connection) throws(PostgresError) in connection }
        let error = try await #require(throws: PostgresError.self) { try await escaped.query("SELECT 1") }
        #expect(error.reason == .usage)
    }

    @Test func `replaces an idle connection that the server has ended`() async throws {
        let pool = small()
        let process: Int = try await pool.query("SELECT pg_backend_pid()")[0].decode(at: 0)
        let other = small()
        try await other.execute("SELECT pg_terminate_backend($1::int)", process)
        while try await !other.query("SELECT FROM pg_stat_activity WHERE pid = $1::int", process).isEmpty {}
        #expect(try await pool.query("SELECT pg_backend_pid()")[0].decode(at: 0, as: Int.self) != process)
    }

    @Test func `closes its connections and turns callers away`() async throws {
        let pool = small()
        let process: Int = try await pool.query("SELECT pg_backend_pid()")[0].decode(at: 0)
        await pool.close()
        let error = try await #require(throws: PostgresError.self) { try await pool.query("SELECT 1") }
        #expect(error.reason == .closed)
        let other = small()
        while try await !other.query("SELECT FROM pg_stat_activity WHERE pid = $1::int", process).isEmpty {}
    }
}
