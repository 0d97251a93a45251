import Postgres
import Synchronization
import TestDatabase
import Testing

@Suite(.emptyDatabase) struct `A transaction` {
    private func table() async throws -> ConnectionPool {
        let pool = TestDatabase.current.pool()
        try await pool.execute("CREATE TABLE account (id int8 PRIMARY KEY, amount int8 NOT NULL)")
        try await pool.execute("INSERT INTO account VALUES (1, 100), (2, 100)")
        return pool
    }

    private func amount(_ id: Int, in pool: ConnectionPool) async throws -> Int {
        try await pool.query("SELECT amount FROM account WHERE id = $1", id)[0].decode("amount")
    }

    @Test func `commits and returns the body's value`() async throws {
        let pool = try await table()
        let value = try await pool.transaction { (transaction) throws(PostgresError) in
            try transaction.execute("UPDATE account SET amount = $1 WHERE id = 1", 7)
            return "done"
        }
        #expect(value == "done")
        #expect(try await amount(1, in: pool) == 7)
    }

    @Test func `rolls back when a statement fails`() async throws {
        let pool = try await table()
        await #expect(throws: PostgresError.self) {
            try await pool.transaction { (transaction) throws(PostgresError) in
                try transaction.execute("UPDATE account SET amount = 0")
                try transaction.execute("SELECT 1 / 0")
            }
        }
        #expect(try await amount(1, in: pool) == 100)
    }

    @Test func `rolls back when the body throws`() async throws {
        let pool = try await table()
        let own = PostgresError(reason: .usage, message: "no")
        await #expect(throws: own) {
            try await pool.transaction { (transaction) throws(PostgresError) in
                try transaction.execute("UPDATE account SET amount = 0")
                throw own
            }
        }
        #expect(try await amount(1, in: pool) == 100)
    }

    @Test func `does not seem to commit when the body swallows an error`() async throws {
        let pool = try await table()
        let error = try await #require(throws: PostgresError.self) {
            try await pool.transaction { (transaction) throws(PostgresError) in
                try transaction.execute("UPDATE account SET amount = 0")
                do throws(PostgresError) { try transaction.execute("SELECT 1 / 0") } catch {}
            }
        }
        #expect(error.sqlState == "22012")
        #expect(try await amount(1, in: pool) == 100)
    }

    @Test func `refuses writes where it is read-only`() async throws {
        let pool = try await table()
        let error = try await #require(throws: PostgresError.self) {
            try await pool.transaction(.init(readOnly: true)) { (transaction) throws(PostgresError) in
                try transaction.execute("UPDATE account SET amount = 0")
            }
        }
        #expect(error.sqlState == "25006")
    }

    @Test func `has a time limit of its own`() async throws {
        let pool = try await table()
        let error = try await #require(throws: PostgresError.self) {
            try await pool.transaction(.init(statementTimeout: .milliseconds(50))) {
                (transaction) throws(PostgresError) in
                try transaction.execute("SELECT pg_sleep(60)")
            }
        }
        #expect(error.reason == .timeout)
        #expect(try await pool.query("SHOW statement_timeout")[0].decode(at: 0) == "30s")
    }

    @Test func `runs a script of many statements but lets it not end the transaction`() async throws {
        let pool = try await table()
        try await pool.transaction { (transaction) throws(PostgresError) in
            try transaction.executeScript(
                "UPDATE account SET amount = 1 WHERE id = 1; DELETE FROM account WHERE id = 2;")
        }
        #expect(try await amount(1, in: pool) == 1)
        let error = try await #require(throws: PostgresError.self) {
            try await pool.transaction { (transaction) throws(PostgresError) in try transaction.executeScript("COMMIT")
            }
        }
        #expect(error.reason == .usage)
    }

    @Test func `reports a constraint that is checked at the end`() async throws {
        let pool = try await table()
        try await pool.execute(
            "CREATE TABLE child (parent int8 CONSTRAINT child_of REFERENCES account DEFERRABLE INITIALLY DEFERRED)")
        let error = try await #require(throws: PostgresError.self) {
            try await pool.transaction { (transaction) throws(PostgresError) in
                try transaction.execute("INSERT INTO child VALUES (9)")
            }
        }
        #expect(error.constraint == "child_of")
        let piped = try await #require(throws: PostgresError.self) {
            try await pool.pipeline([PipelineStep("INSERT INTO child VALUES ($1)", 9)])
        }
        #expect(piped.constraint == "child_of")
        #expect(try await pool.query("SELECT FROM child").isEmpty)
    }

    @Test func `is not committed by a task that was cancelled in it`() async throws {
        let pool = try await table()
        await withTaskGroup { group in
            group.addTask {
                let error = try? await #require(throws: PostgresError.self) {
                    try await pool.transaction { (transaction) throws(PostgresError) in
                        try transaction.execute("UPDATE account SET amount = 0")
                        withUnsafeCurrentTask { $0?.cancel() }
                    }
                }
                #expect(error?.reason == .cancelled)
            }
        }
        #expect(try await amount(1, in: pool) == 100)
    }

    /// Runs a body that loses a race the first time, and counts its runs.
    private func lose(attempts: Int) async throws -> (runs: Int, error: PostgresError?) {
        let pool = try await table()
        let runs = Mutex(0)
        var failure: PostgresError?
        do throws(PostgresError) {
            try await pool.transaction(.init(isolation: .serializable, attempts: attempts)) {
                (transaction) throws(PostgresError) in
                let run = runs.withLock {
                    $0 += 1; return $0
                }
                try transaction.execute("UPDATE account SET amount = amount - 1 WHERE id = 1")
                // What the server answers to the one who loses.
                if run == 1 { try transaction.execute("DO 'BEGIN RAISE SQLSTATE ''40001''; END'") }
            }
        } catch { failure = error }
        return (runs.withLock { $0 }, failure)
    }

    @Test func `is run again after a lost race where the caller allows it`() async throws {
        let (runs, error) = try await lose(attempts: 3)
        #expect(runs == 2)
        #expect(error == nil)
    }

    @Test func `is not run again where the caller does not`() async throws {
        let (runs, error) = try await lose(attempts: 1)
        #expect(runs == 1)
        #expect(error?.sqlState == "40001")
        #expect(error?.isTransient == true)
    }

    @Test func `gives right sums when many race under full isolation`() async throws {
        let pool = try await table()
        try await withThrowingTaskGroup { group in
            for _ in 0..<20 {
                group.addTask {
                    try await pool.transaction(.init(isolation: .serializable, attempts: 50)) {
                        (transaction) throws(PostgresError) in
                        let now: Int = try transaction.query("SELECT amount FROM account WHERE id = 1")[0].decode(at: 0)
                        try transaction.execute("UPDATE account SET amount = $1 WHERE id = 1", now + 1)
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(try await amount(1, in: pool) == 120)
    }
}
