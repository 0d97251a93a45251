import Logging
import Postgres
import TestDatabase

extension Race {
    /// Eight migrate an empty database.
    static let migratesEmpty = Race(
        rule: "an empty database is migrated by whoever comes first",
        mutants: [Mutant("takes no lock", sign: "was told", .noAdvisoryLock)]
    ) { round in
        try await round.migrate(applied: 0)
    }

    /// Eight bring a database up to date.
    static let migratesOnce = Race(
        rule: "a migration is applied once",
        mutants: [
            Mutant("takes no lock", sign: "usage_migration_once", .noAdvisoryLock),
            Mutant(
                "takes no lock, and nothing keeps two applications apart", sign: "migrations: ", .noAdvisoryLock,
                .migrationsWithoutKey),
        ]
    ) { round in
        try await round.migrate(applied: 1)
    }
}

extension Round {
    private static let files = [
        "CREATE TABLE step (number int); INSERT INTO step VALUES (1);",
        "INSERT INTO step SELECT 2 FROM pg_sleep(0.02);", "INSERT INTO step VALUES (3);",
    ]

    /// Lets the racers migrate a database that has so many of the files.
    fileprivate func migrate(applied: Int) async throws -> [String] {
        let migrations = try Round.files.enumerated().map {
            try Migration(fileName: "000\($0 + 1)_step.sql", sql: Array($1.utf8))
        }
        let database = try await TestDatabase.emptyDatabase()
        let findings: [String]
        do { findings = try await migrate(database, migrations, applied: applied) } catch {
            try await database.drop()
            throw error
        }
        try await database.drop()
        return findings
    }

    private func migrate(
        _ database: TestDatabase, _ migrations: [Migration], applied: Int
    ) async throws -> [String] {
        let logger = Logger(label: "race") { _ in SwiftLogNoOpLogHandler() }
        var configuration = PostgresConfiguration(url: database.url, maximumConnections: 1)
        // The first schema of the path that has a function of the name is asked.
        configuration.settings["search_path"] = "weak, pg_catalog"
        let owner = database.pool(configuration)
        try await owner.execute("CREATE SCHEMA weak")
        for case .noAdvisoryLock in course.changes {
            try await owner.execute(
                "CREATE FUNCTION weak.pg_advisory_xact_lock(bigint) RETURNS void LANGUAGE sql AS 'SELECT'")
        }
        try await Migrator(migrations: Array(migrations.prefix(applied)), logger: logger).migrate(owner)
        for case .migrationsWithoutKey in course.changes {
            try await owner.execute("ALTER TABLE usage_migration DROP CONSTRAINT usage_migration_once")
        }
        let pools = (0..<Course.racers).map { _ in database.pool(configuration) }
        for pool in pools { try await pool.execute("SELECT 1") }
        let heat = try await course.heat(behind: .open) { racer in
            try await Migrator(migrations: migrations, logger: logger).migrate(pools[racer]).map(\.number)
        }
        let told = heat.answers.values.joined().sorted()
        let steps: [Int32] = try await owner.query("SELECT number FROM step ORDER BY 1").map { row in
            try row.decode(at: 0)
        }
        return heat.problems
            + unless(told == Array((applied + 1)...3), "migrations: the racers applied \(told)")
            + unless(steps == [1, 2, 3], "migrations: the database has \(steps)")
    }
}
