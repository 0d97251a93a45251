import Postgres
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
