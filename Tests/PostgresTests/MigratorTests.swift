import Logging
import Postgres
import TestDatabase
import Testing

@Suite(.emptyDatabase) struct `A migrator` {
    private func migrator(_ files: [String]) throws -> Migrator {
        let migrations = try files.enumerated().map { index, sql in
            try Migration(fileName: "000\(index + 1)_step.sql", sql: Array(sql.utf8))
        }
        return Migrator(migrations: migrations, logger: .init(label: "test"))
    }

    @Test func `applies what is missing, once and in order`() async throws {
        let pool = TestDatabase.current.pool()
        let first = ["CREATE TABLE step (number int); INSERT INTO step VALUES (1);"]
        #expect(try await migrator(first).migrate(pool).map(\.name) == ["0001_step.sql"])
        let both = try migrator(first + ["INSERT INTO step VALUES (2);"])
        let pending = try await pool.withConnection { (connection) throws(PostgresError) in
            try await both.pending(on: connection)
        }
        #expect(pending.map(\.number) == [2])
        #expect(try await both.migrate(pool).map(\.number) == [2])
        #expect(try await both.migrate(pool).isEmpty)
        #expect(try await pool.query("SELECT FROM step").count == 2)
    }

    @Test func `applies each file once when ten run at once`() async throws {
        let migrator = try migrator([
            "CREATE TABLE step (number int);", "INSERT INTO step SELECT 2 FROM pg_sleep(0.1);",
            "INSERT INTO step VALUES (3);",
        ])
        let database = TestDatabase.current
        let applied = try await withThrowingTaskGroup { group in
            for _ in 0..<10 {
                group.addTask { try await migrator.migrate(database.pool(maximumConnections: 1)).map(\.number) }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
        #expect(applied.sorted() == [1, 2, 3])
        #expect(try await database.pool().query("SELECT FROM step").count == 2)
    }

    @Test func `refuses a file that was edited after it had been applied`() async throws {
        let pool = TestDatabase.current.pool()
        try await migrator(["SELECT 1;"]).migrate(pool)
        let error = try await #require(throws: PostgresError.self) { try await migrator(["SELECT 2;"]).migrate(pool) }
        #expect(error.reason == .usage)
        #expect(error.message.hasPrefix("the migration 0001_step.sql is not the one that was applied: "))
    }

    @Test func `refuses a database that is newer than the program`() async throws {
        let pool = TestDatabase.current.pool()
        try await migrator(["SELECT 1;", "SELECT 2;"]).migrate(pool)
        let error = try await #require(throws: PostgresError.self) { try await migrator(["SELECT 1;"]).migrate(pool) }
        #expect(error.reason == .usage)
        #expect(error.message.contains("0002_step.sql"))
    }

    @Test func `leaves nothing of a file that fails, and goes on when it is mended`() async throws {
        let pool = TestDatabase.current.pool()
        let first = "CREATE TABLE step (number int);"
        let error = try await #require(throws: PostgresError.self) {
            try await migrator([first, "CREATE TABLE half (); SELECT nonsense;"]).migrate(pool)
        }
        #expect(error.sqlState == "42703")
        #expect(error.message.hasPrefix("0002_step.sql: "))
        #expect(
            try await pool.query("SELECT to_regclass('half') IS NULL AND to_regclass('step') IS NOT NULL")[0]
                .decode(at: 0) == true)
        #expect(try await migrator([first, "CREATE TABLE half ();"]).migrate(pool).map(\.number) == [2])
    }

    @Test func `lets others go on while somebody reads a table for long that a file changes`() async throws {
        let (pool, reader) = (TestDatabase.current.pool(), TestDatabase.current.pool(maximumConnections: 1))
        let first = "CREATE TABLE step (number int);"
        try await migrator([first]).migrate(pool)
        let both = try migrator([first, "ALTER TABLE step ADD COLUMN name text;"])
        let applied = try await reader.withConnection { (reader) throws(PostgresError) in
            try await reader.execute("BEGIN")
            try await reader.execute("SELECT FROM step")
            let applied = Task { try await both.migrate(pool) }
            await wait { (try? await pool.query(blocked).isEmpty) == false }
            // Behind the file, which waits for the reader.
            for number in 1...3 { try await pool.execute("INSERT INTO step VALUES ($1::int)", number) }
            try await reader.execute("COMMIT")
            return applied
        }
        #expect(try await applied.value.map(\.number) == [2])
        #expect(try await pool.query("SELECT name FROM step").count == 3)
    }

    @Test func `makes the templates of test databases`() async throws {
        let migrations = [try Migration(fileName: "0001_table.sql", sql: Array("CREATE TABLE step (number int);".utf8))]
        let (first, second) = try await (
            TestDatabase.make(migrations: migrations), TestDatabase.make(migrations: migrations)
        )
        try await first.pool().execute("INSERT INTO step VALUES (1)")
        #expect(try await second.pool().query("SELECT FROM step").isEmpty)
        try await first.drop()
        try await second.drop()
    }

    @Test(arguments: ["1_a.sql", "0000_a.sql", "0001a.sql", "0001_a.txt", "00011_a.sql"])
    func `knows its files by their names`(name: String) throws {
        #expect(throws: PostgresError.self) { try Migration(fileName: name, sql: []) }
    }
}
