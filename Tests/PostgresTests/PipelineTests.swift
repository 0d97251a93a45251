import Foundation
import Postgres
import Synchronization
import TestDatabase
import Testing

@Suite(.emptyDatabase) struct `A pipeline` {
    @Test func `returns the rows of each step`() async throws {
        let pool = TestDatabase.current.pool()
        let answers = try await pool.pipeline([
            PipelineStep("CREATE TABLE number (value int8)"),
            PipelineStep("INSERT INTO number SELECT unnest($1)", [3, 1, 2]),
            PipelineStep("SELECT value FROM number ORDER BY value"),
        ])
        #expect(answers.count == 3)
        #expect(answers[1].affectedRows == 3)
        #expect(try answers[2].map { try $0.decode("value", as: Int.self) } == [1, 2, 3])
    }

    @Test func `takes effect as a whole or not at all`() async throws {
        let pool = TestDatabase.current.pool(maximumConnections: 1)
        try await pool.execute("CREATE TABLE number (value int8 CONSTRAINT number_positive CHECK (value > 0))")
        let error = try await #require(throws: PostgresError.self) {
            try await pool.pipeline([
                PipelineStep("INSERT INTO number VALUES ($1)", 1), PipelineStep("INSERT INTO number VALUES ($1)", -1),
                PipelineStep("INSERT INTO number VALUES ($1)", 2),
            ])
        }
        #expect(error.constraint == "number_positive")
        #expect(try await pool.query("SELECT FROM number").isEmpty)
        // The statements prepared on the way are used again.
        try await pool.pipeline([PipelineStep("INSERT INTO number VALUES ($1)", 5)])
        #expect(try await pool.query("SELECT FROM number").count == 1)
    }

    @Test func `fails at the step whose text is wrong`() async throws {
        let pool = TestDatabase.current.pool(maximumConnections: 1)
        let error = try await #require(throws: PostgresError.self) {
            try await pool.pipeline([PipelineStep("SELECT 1"), PipelineStep("SELEC 2"), PipelineStep("SELECT 3")])
        }
        #expect(error.sqlState == "42601")
        #expect(try await pool.pipeline([PipelineStep("SELECT 1")])[0][0].decode(at: 0, as: Int.self) == 1)
    }

    @Test func `is larger than any buffer`() async throws {
        let pool = TestDatabase.current.pool(maximumConnections: 1)
        let text = String(repeating: "x", count: 100_000)
        let answers = try await pool.pipeline((0..<200).map { _ in PipelineStep("SELECT $1", text) })
        #expect(answers.count == 200)
        #expect(try answers[199][0].decode(at: 0) == text)
    }

    @Test func `takes one round trip`() async throws {
        let relay = try Relay(to: TestDatabase.current.url)
        defer { relay.stop() }
        let pool = TestDatabase.current.pool(PostgresConfiguration(url: relay.url, maximumConnections: 1))
        let steps = (0..<5).map { PipelineStep("SELECT $1", $0) }
        try await pool.execute("SELECT 1")
        let before = relay.turns
        try await pool.pipeline(steps)
        #expect(relay.turns - before == 1, "statements are prepared on the way")
        _ = try await pool.transaction { (transaction) throws(PostgresError) in try transaction.execute("SELECT 2") }
        #expect(relay.turns - before == 3, "BEGIN goes with the first statement, COMMIT alone")
    }
}

@Suite(.emptyDatabase) struct `A snapshot` {
    private func table() async throws -> ConnectionPool {
        let pool = TestDatabase.current.pool(maximumConnections: 2)
        try await pool.execute("CREATE TABLE number (value int8)")
        return pool
    }

    @Test func `sees what was committed before its first step, and nothing after it`() async throws {
        let (pool, other) = (try await table(), TestDatabase.current.pool(maximumConnections: 1))
        try await other.execute("SELECT pg_advisory_lock(1)")
        async let found = pool.snapshot([
            PipelineStep("SELECT count(*) FROM number"), PipelineStep("SELECT pg_advisory_lock_shared(1)"),
            PipelineStep("SELECT count(*) FROM number"),
        ])
        await wait { (try? await other.query(blocked).isEmpty) == false }
        try await other.execute("INSERT INTO number VALUES (1)")
        try await other.execute("SELECT pg_advisory_unlock(1)")
        #expect(try await found[0][0].decode(at: 0, as: Int.self) == 0)
        #expect(try await found[2][0].decode(at: 0, as: Int.self) == 0)
    }

    @Test func `writes nothing, and leaves nothing open where a step fails`() async throws {
        let pool = try await table()
        let error = try await #require(throws: PostgresError.self) {
            try await pool.snapshot([PipelineStep("SELECT 1"), PipelineStep("INSERT INTO number VALUES ($1)", 1)])
        }
        #expect(error.sqlState == "25006")
        // The same connection writes again, outside that transaction.
        try await pool.execute("INSERT INTO number VALUES (2)")
        #expect(try await pool.snapshot([PipelineStep("SELECT value FROM number")])[0].count == 1)
    }

    @Test func `takes one round trip`() async throws {
        let relay = try Relay(to: TestDatabase.current.url)
        defer { relay.stop() }
        let pool = TestDatabase.current.pool(PostgresConfiguration(url: relay.url, maximumConnections: 1))
        try await pool.execute("SELECT 1")
        let before = relay.turns
        _ = try await pool.snapshot((0..<5).map { PipelineStep("SELECT $1", $0) })
        #expect(relay.turns - before == 1, "BEGIN and COMMIT go along")
    }
}

@Suite(.emptyDatabase) struct `Pipelines` {
    /// What pipelines are taken from, and what came of them, in the order of the answers.
    private final class Source: Sendable {
        private struct State {
            var due: [[PipelineStep]] = []
            var taken = 0
            var answers: [(number: Int, result: Result<[Rows], PostgresError>)] = []
        }

        private let state: Mutex<State>
        private let secondsToAnswer: Double

        /// - Parameter secondsToAnswer: How long whoever is answered keeps the connection's thread.
        init(_ due: [[PipelineStep]], secondsToAnswer: Double = 0) {
            state = Mutex(State(due: due))
            self.secondsToAnswer = secondsToAnswer
        }

        var taken: Int { state.withLock(\.taken) }
        var answers: [(number: Int, result: Result<[Rows], PostgresError>)] { state.withLock(\.answers) }

        func add(_ steps: [PipelineStep]) { state.withLock { $0.due.append(steps) } }

        func next() -> Pipeline? {
            state.withLock { state in
                guard !state.due.isEmpty else { return nil }
                let steps = state.due.removeFirst()
                let number = state.taken
                state.taken += 1
                return Pipeline(steps) { [secondsToAnswer] result in
                    self.state.withLock { $0.answers.append((number, result)) }
                    Thread.sleep(forTimeInterval: secondsToAnswer)
                }
            }
        }

        /// The number and the error of each pipeline that failed.
        var failures: [Int: PostgresError] {
            var failures: [Int: PostgresError] = [:]
            for (number, result) in answers { if case .failure(let error) = result { failures[number] = error } }
            return failures
        }
    }

    private func table(_ configuration: PostgresConfiguration? = nil) async throws -> ConnectionPool {
        let pool = TestDatabase.current.pool(
            configuration ?? PostgresConfiguration(url: TestDatabase.current.url, maximumConnections: 1))
        try await pool.execute(
            """
            CREATE TABLE number (
                value int8 CONSTRAINT number_positive CHECK (value > 0),
                CONSTRAINT number_once UNIQUE (value) DEFERRABLE INITIALLY DEFERRED
            )
            """)
        return pool
    }

    private func insert(_ value: Int) -> PipelineStep { PipelineStep("INSERT INTO number VALUES ($1)", value) }

    private func values() async throws -> [Int] {
        try await TestDatabase.current.pool().query("SELECT value FROM number ORDER BY ctid").map { (row) in
            try row.decode(at: 0)
        }
    }

    /// Runs pipelines, the first of which waits for a lock until the body is done.
    private func run(
        _ source: Source, on pool: ConnectionPool, whileLocked body: (ConnectionPool) async throws -> Void
    ) async throws {
        let observer = TestDatabase.current.pool(maximumConnections: 1)
        let locker = TestDatabase.current.pool(maximumConnections: 1)
        // It is connected before anything waits, as a wait may be short.
        try await observer.execute("SELECT 1")
        try await locker.execute("SELECT pg_advisory_lock(7)")
        async let running: Void = pool.withConnection { (connection) throws(PostgresError) in
            try await connection.pipelines { source.next() }
        }
        await wait { (try? await observer.query(blocked).isEmpty) == false }
        try await body(observer)
        try await locker.execute("SELECT pg_advisory_unlock(7)")
        try await running
    }

    /// Ends when the lock is free.
    private let lock = PipelineStep("SELECT pg_advisory_xact_lock(7)")

    @Test func `are three under way at once, and no more`() async throws {
        let pool = try await table()
        let source = Source([[lock, insert(1)], [insert(2)], [insert(3)], [insert(4)]])
        try await run(source, on: pool) { _ in
            await wait { source.taken >= 3 }
            #expect(source.taken == 3)
            #expect(source.answers.isEmpty)
        }
        #expect(source.answers.map(\.number) == [0, 1, 2, 3])
        #expect(try await values() == [1, 2, 3, 4])
        let transactions = try await pool.query("SELECT DISTINCT xmin::text FROM number").count
        #expect(transactions == 4)
    }

    @Test func `that become due while one is under way are taken when the connection looks again`() async throws {
        let pool = try await table()
        let source = Source([[lock, insert(1)]])
        let connection = Mutex<Connection?>(nil)
        let observer = TestDatabase.current.pool(maximumConnections: 1)
        let locker = TestDatabase.current.pool(maximumConnections: 1)
        try await locker.execute("SELECT pg_advisory_lock(7)")
        async let running: Void = pool.withConnection { (lent) throws(PostgresError) in
            connection.withLock { $0 = lent }
            try await lent.pipelines { source.next() }
        }
        await wait { (try? await observer.query(blocked).isEmpty) == false }
        source.add([insert(2)])
        connection.withLock { $0 }?.lookAgain()
        await wait { source.taken >= 2 }
        #expect(source.answers.isEmpty)
        try await locker.execute("SELECT pg_advisory_unlock(7)")
        try await running
        #expect(try await values() == [1, 2])
    }

    @Test func `fail alone and as a whole, at a step or when they are committed`() async throws {
        let pool = try await table()
        for bad in [[insert(1), insert(-1), insert(3)], [insert(1), insert(1)]] {
            try await pool.execute("TRUNCATE number")
            let source = Source([[lock] + bad, [insert(4)], [insert(5)], [insert(6)]])
            try await run(source, on: pool) { _ in await wait { source.taken >= 3 } }
            #expect(source.failures.keys.sorted() == [0])
            #expect(["number_positive", "number_once"].contains(source.failures[0]?.constraint))
            #expect(source.failures[0]?.outcomeIsUnknown == false)
            #expect(try await values() == [4, 5])
            // Nothing was taken after the one that failed, and the connection is as good as new.
            #expect(source.taken == 3)
            try await pool.withConnection { (connection) throws(PostgresError) in
                try await connection.pipelines { source.next() }
            }
            #expect(try await values() == [4, 5, 6])
        }
    }

    @Test func `whose values cannot be bound fail before they are sent`() async throws {
        let pool = try await table()
        let source = Source([[lock, insert(1)], [insert(2), PipelineStep("SELECT $1", "a\u{0}b")], [insert(3)]])
        try await run(source, on: pool) { _ in await wait { source.taken >= 2 } }
        #expect(source.failures.mapValues(\.reason) == [1: .usage])
        #expect(try await values() == [1])
    }

    @Test func `are all told when the connection is lost`() async throws {
        let pool = try await table()
        let source = Source([[lock, insert(1)], [insert(2)], [insert(3)], [insert(4)]])
        try await run(source, on: pool) { observer in
            await wait { source.taken >= 3 }
            for row in try await observer.query(blocked) {
                try await observer.execute("SELECT pg_terminate_backend($1::int)", try row.decode("pid", as: Int.self))
            }
        }
        #expect(source.answers.map(\.number) == [0, 1, 2])
        #expect(source.failures.values.allSatisfy { $0.reason == .connection && $0.outcomeIsUnknown })
        #expect(try await values().isEmpty)
        #expect(try await pool.query("SELECT 1").count == 1)
    }

    @Test func `are given up when the server is silent past their time, and never cancel each other`() async throws {
        var configuration = PostgresConfiguration(
            url: TestDatabase.current.url, statementTimeout: .seconds(2), grace: .seconds(1),
            maximumConnections: 1)
        configuration.settings = ["statement_timeout": "0"]
        let pool = try await table(configuration)
        let source = Source([[lock, insert(1)], [insert(2)]])
        try await run(source, on: pool) { _ in await wait { source.answers.count >= 2 } }
        #expect(source.failures.count == 2)
        #expect(source.failures.values.allSatisfy { $0.outcomeIsUnknown })
        #expect(source.failures[0]?.reason == .timeout)
    }

    @Test func `have each their own time on the server`() async throws {
        let pool = try await table(
            PostgresConfiguration(
                url: TestDatabase.current.url, statementTimeout: .seconds(3), maximumConnections: 1))
        let source = Source([[lock, insert(1)], [insert(2)]])
        try await run(source, on: pool) { _ in await wait { source.answers.count >= 2 } }
        #expect(source.failures.mapValues(\.reason) == [0: .timeout])
        #expect(try await values() == [2])
    }

    @Test func `run out of time one after the other, however late their client looks`() async throws {
        let pool = try await table(
            PostgresConfiguration(
                url: TestDatabase.current.url, statementTimeout: .seconds(3), maximumConnections: 1))
        let source = Source([[lock, insert(1)], [lock, insert(2)]], secondsToAnswer: 0.1)
        try await run(source, on: pool) { _ in await wait { source.answers.count >= 2 } }
        #expect(source.failures.mapValues(\.reason) == [0: .timeout, 1: .timeout])
        #expect(try await values() == [])
    }

    @Test func `under way are finished when the task is cancelled, and no more are taken`() async throws {
        let pool = try await table()
        let source = Source([[insert(1)], [insert(2)]])
        let error = await Task {
            await pool.withConnectionResult { (connection) throws(PostgresError) in
                try await connection.pipelines {
                    let next = source.next()
                    withUnsafeCurrentTask { $0?.cancel() }
                    return next
                }
            }
        }.value
        #expect(error == nil)
        #expect(source.taken == 1)
        #expect(try await values() == [1])
    }

    @Test func `may have more statements than a connection keeps`() async throws {
        let pool = try await table()
        let source = Source((1...600).map { [PipelineStep(Statement("SELECT \($0)"))] })
        while source.taken < 600 {
            try await pool.withConnection { (connection) throws(PostgresError) in
                try await connection.pipelines { source.next() }
            }
        }
        #expect(source.failures.isEmpty)
        #expect(source.answers.map(\.number) == Array(0..<600))
        #expect(try await pool.query("SELECT FROM pg_prepared_statements").count <= 257)
    }

    @Test func `see what was committed before each of their statements`() async throws {
        let database = TestDatabase.current
        try await database.pool().execute(
            "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_isolation = serializable', current_database()); END $$"
        )
        let pool = database.pool(maximumConnections: 1)
        let rows = try await pool.pipeline([PipelineStep("SHOW transaction_isolation")])
        #expect(try rows[0][0].decode(at: 0) == "read committed")
    }
}

extension ConnectionPool {
    /// Lends a connection to a body, and returns what it throws.
    fileprivate func withConnectionResult(
        _ body: @Sendable (Connection) async throws(PostgresError) -> Void
    ) async -> PostgresError? {
        do throws(PostgresError) { try await withConnection(body) } catch { return error }
        return nil
    }
}
