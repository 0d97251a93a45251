import Postgres
import TestDatabase
import Testing

@Suite(.emptyDatabase) struct `Notifications` {
    @Test func `arrive with their payload, in order`() async throws {
        let pool = TestDatabase.current.pool()
        let arrived = try await pool.withConnection { (connection) throws(PostgresError) in
            try await connection.listen(to: "task \"due\"")
            try await pool.transaction { (transaction) throws(PostgresError) in
                for payload in ["1", "2", "3"] {
                    try transaction.execute("SELECT pg_notify($1, $2)", "task \"due\"", payload)
                }
            }
            return try await connection.notifications(waitingUpTo: .seconds(60))
        }
        #expect(arrived.map(\.payload) == ["1", "2", "3"])
        #expect(arrived.allSatisfy { $0.channel == "task \"due\"" && $0.processID > 0 })
    }

    @Test func `that do not come are an empty answer`() async throws {
        let pool = TestDatabase.current.pool()
        let arrived = try await pool.withConnection { (connection) throws(PostgresError) in
            try await connection.listen(to: "quiet")
            return try await connection.notifications(waitingUpTo: .milliseconds(20))
        }
        #expect(arrived.isEmpty)
    }

    @Test func `wake the one who waits`() async throws {
        let pool = TestDatabase.current.pool()
        try await withThrowingTaskGroup { group in
            let (ready, signal) = AsyncStream.makeStream(of: Void.self)
            group.addTask {
                let arrived = try await pool.withConnection { (connection) throws(PostgresError) in
                    try await connection.listen(to: "due")
                    signal.finish()
                    return try await connection.notifications(waitingUpTo: .seconds(60))
                }
                #expect(arrived.map(\.payload) == ["now"])
            }
            for await _ in ready {}
            try await pool.execute("SELECT pg_notify('due', 'now')")
            try await group.waitForAll()
        }
    }

    @Test func `are no longer waited for by a cancelled task`() async throws {
        let pool = TestDatabase.current.pool(maximumConnections: 1)
        await withTaskGroup(of: Void.self) { group in
            let (ready, signal) = AsyncStream.makeStream(of: Void.self)
            group.addTask {
                let error = try? await #require(throws: PostgresError.self) {
                    try await pool.withConnection { (connection) throws(PostgresError) in
                        try await connection.listen(to: "due")
                        signal.finish()
                        return try await connection.notifications(waitingUpTo: .seconds(600))
                    }
                }
                #expect(error?.reason == .cancelled)
            }
            for await _ in ready {}
            group.cancelAll()
        }
        #expect(try await pool.query("SELECT FROM pg_listening_channels()").isEmpty)
    }

    @Test func `are not listened to by the next one who has the connection`() async throws {
        let pool = TestDatabase.current.pool(maximumConnections: 1)
        try await pool.withConnection { (connection) throws(PostgresError) in try await connection.listen(to: "due") }
        let error = try await #require(throws: PostgresError.self) {
            try await pool.withConnection { (connection) throws(PostgresError) in
                try await connection.notifications(waitingUpTo: .seconds(1))
            }
        }
        #expect(error.reason == .usage)
        #expect(try await pool.query("SELECT FROM pg_listening_channels()").isEmpty)
    }

    @Test func `missed with a lost connection are told of`() async throws {
        let pool = TestDatabase.current.pool()
        let error = try await #require(throws: PostgresError.self) {
            try await pool.withConnection { (connection) throws(PostgresError) in
                try await connection.listen(to: "due")
                let process: Int = try await connection.query("SELECT pg_backend_pid()")[0].decode(at: 0)
                try await pool.execute("SELECT pg_terminate_backend($1::int)", process)
                return try await connection.notifications(waitingUpTo: .seconds(60))
            }
        }
        #expect(error.reason == .connection)
        #expect(error.isTransient)
    }
}
