import Foundation
import Postgres
import TestDatabase
import Testing
import UsageSQL

@Suite(.database(migrations: UsageSQL.migrations)) struct `Invented books` {
    @Test func `are proved like real ones, and go into an empty database only`() async throws {
        let usage = Program(environment: ["DATABASE_URL": TestDatabase.current.url])
        let made = try await usage.run("bench-data", "--tasks", "20000", "--projects", "5", "--months", "3")
        #expect(made.status == 0, "\(made.errors)")
        let proved = try await usage.run("verify")
        #expect(proved.status == 0, "\(proved.output)")
        // All that can happen has happened, be it only to one task of a thousand.
        for table in [
            "reservation", "refusal", "acceptance", "settlement", "correction", "recorded_error", "wallet_reading",
            "budget_change",
        ] {
            #expect(
                try await Self.texts(Statement("SELECT EXISTS (SELECT FROM \(table))::text")) == ["true"], "\(table)")
        }
        #expect(try await Self.texts("SELECT count(*)::text FROM reservation") == ["20000"])

        let again = try await usage.run("bench-data", "--tasks", "1")
        #expect(again.status == 1)
        #expect(
            again.errors == "Error: This database has entries already; invented books go into an empty one only.\n")
    }

    @Test func `give each task to the CSV of its month once`() async throws {
        let usage = Program(environment: ["DATABASE_URL": TestDatabase.current.url])
        let made = try await usage.run("bench-data", "--tasks", "1000", "--projects", "5", "--months", "2")
        #expect(made.status == 0, "\(made.errors)")
        var tasks = Set<Substring>()
        let months = try await Self.texts("SELECT DISTINCT to_char(day, 'YYYY-MM') FROM reservation")
        for month in months {
            let listed = try await usage.run("tasks", "--month", month, "--format", "csv")
            #expect(listed.status == 0, "\(listed.errors)")
            for line in listed.output.split(separator: "\n").dropFirst() {
                #expect(tasks.insert(line.prefix(36)).inserted)
            }
        }
        #expect(tasks.count == 1000)
    }

    @Test func `end with the month before while the first day of a month has not begun to work`() async throws {
        let usage = Program(environment: [
            "DATABASE_URL": TestDatabase.current.url, "USAGE_CLOCK": "2026-05-01T00:05:00Z",
        ])
        let made = try await usage.run("bench-data", "--tasks", "500", "--projects", "5", "--months", "1")
        #expect(made.status == 0, "\(made.errors)")
        #expect(
            try await Self.texts(
                "SELECT to_char(day, 'YYYY-MM') || ' ' || count(*) FROM reservation GROUP BY to_char(day, 'YYYY-MM')")
                == ["2026-04 500"])
        #expect(try await usage.run("verify").status == 0)
    }

    /// A planner that took each table for one row would look through one of them for each task of another.
    @Test func `are listed with each row read a few times, though the statistics know of one`() async throws {
        let usage = Program(environment: ["DATABASE_URL": TestDatabase.current.url])
        let made = try await usage.run("bench-data", "--tasks", "3000", "--projects", "300", "--months", "1")
        #expect(made.status == 0, "\(made.errors)")
        let owner = TestDatabase.current.pool()
        try await owner.execute("DELETE FROM pg_statistic")
        try await owner.execute(
            """
            UPDATE pg_class SET reltuples = 1, relpages = 1
            WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'i')
            """)
        await owner.close()
        let before = try await Self.rowsRead()
        let month = try #require(try await Self.texts("SELECT max(to_char(day, 'YYYY-MM')) FROM reservation").first)
        let listed = try await usage.run("tasks", "--month", month, "--format", "csv")
        #expect(listed.output.split(separator: "\n").count == 3001)
        let read = try await Self.rowsRead() - before
        #expect(read >= 9000 && read < 30_000)
    }

    /// How many rows were read so far, once all other sessions are over: each tells it when it ends.
    private static func rowsRead() async throws -> Int {
        await wait {
            let others: Statement =
                "SELECT count(*)::text FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            return (try? await texts(others)) == ["0"]
        }
        let rows: Statement =
            "SELECT sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0))::text FROM pg_stat_user_tables"
        return try #require(Int(try await texts(rows)[0]))
    }

    private static func texts(_ query: Statement) async throws -> [String] {
        let pool = TestDatabase.current.pool()
        let rows = try await pool.query(query)
        await pool.close()
        return try rows.map { row throws(PostgresError) in try row.decode(at: 0) }
    }
}
