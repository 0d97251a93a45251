import ArgumentParser
import Postgres

struct MigrateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "migrate", abstract: "Make or update the schema of the database.",
        discussion: """
            Needs a login that owns the database and may create roles. Any number may run at once; each file is applied once.

            EXAMPLE: see what a new version would change, then do it
              DATABASE_URL=postgresql://owner@db/usage usage migrate --dry-run
              DATABASE_URL=postgresql://owner@db/usage usage migrate
            """)

    @Flag(help: "Only list what would be applied.")
    var dryRun = false

    func run() async throws {
        let migrations = try await Books.migrate(Location.current(), dryRun: dryRun)
        for migration in migrations { Terminal.print("\(dryRun ? "would apply" : "applied") \(migration.name)\n") }
        if migrations.isEmpty { Terminal.note("The schema is up to date.") }
    }
}
