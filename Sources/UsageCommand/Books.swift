import Ledger
import Logging
import Postgres
import UsageSQL

/// The database that a command works on.
struct Books {
    /// Who a command connects as; the rights are those of sql/migrations.
    enum Role: String {
        case service = "usage_service"
        case report = "usage_report"
    }

    let pool: ConnectionPool

    /// Opens the books for a body and closes them after it.
    ///
    /// Without a role it has all rights of the login. With `DATABASE_URL` the schema must be there; the private PostgreSQL
    /// is started, and its schema made, as needed.
    static func open<Value>(
        as role: Role? = .service, connections: Int = 2, at place: Location? = nil,
        _ body: (Books) async throws -> Value
    ) async throws -> Value {
        let location = try place ?? Location.current()
        var configuration = location.configuration(connections: connections)
        configuration.role = role?.rawValue
        // The books are written in milliseconds; only reports take long.
        if role == .service { configuration.statementTimeout = .seconds(10) }
        let pool = ConnectionPool(configuration, logger: Logger(label: "usage.postgres"))
        do {
            try await location.prepare(pool)
            let value = try await body(Books(pool: pool))
            await pool.close()
            return value
        } catch {
            await pool.close()
            throw error
        }
    }

    /// Applies what the schema lacks, as the owner of the database.
    static func migrate(_ location: Location, dryRun: Bool) async throws -> [Migration] {
        let pool = ConnectionPool(location.configuration(connections: 1), logger: Logger(label: "usage.postgres"))
        do {
            let migrator = Migrator(migrations: UsageSQL.migrations, logger: Logger(label: "usage.migrate"))
            let applied =
                dryRun
                ? try await pool.withConnection { (connection) throws(PostgresError) in
                    try await migrator.pending(on: connection)
                }
                : try await migrator.migrate(pool)
            await pool.close()
            return applied
        } catch {
            await pool.close()
            throw error
        }
    }

    /// The ledger of a wallet.
    func ledger(of slug: String) async throws -> Ledger {
        Ledger(wallet: try await Wallet.named(slug, in: pool), pool: pool)
    }
}

/// Where the database is.
struct Location {
    private let url: String
    private let isPrivate: Bool

    /// The database of `DATABASE_URL`, or else the private one, which is started if need be.
    static func current() throws -> Location {
        if let url = Environment.value("DATABASE_URL") { return Location(url: url, isPrivate: false) }
        return try Location(LocalPostgres(home: LocalPostgres.defaultHome(environment: Environment.all)))
    }

    /// The database of a private server, which is started if need be.
    init(_ server: LocalPostgres) throws {
        guard let url = try server.start().url else { throw Mistake("The private PostgreSQL did not start.") }
        self.init(url: url, isPrivate: true)
    }

    private init(url: String, isPrivate: Bool) {
        self.url = url
        self.isPrivate = isPrivate
    }

    fileprivate func configuration(connections: Int) -> PostgresConfiguration {
        PostgresConfiguration(url: url, maximumConnections: connections)
    }

    /// Sees to it that the database has the schema of this program.
    fileprivate func prepare(_ pool: ConnectionPool) async throws {
        let migrator = Migrator(migrations: UsageSQL.migrations, logger: Logger(label: "usage.migrate"))
        do throws(PostgresError) {
            let pending = try await pool.withConnection { (connection) throws(PostgresError) in
                try await migrator.pending(on: connection)
            }
            if pending.isEmpty { return }
        } catch {
            // Source: PostgreSQL manual, appendix A: insufficient_privilege.
            guard error.sqlState != "42501" else {
                throw Mistake(
                    "This login may not work as usage_service and usage_report; let the owner of the database run: "
                        + "GRANT usage_service, usage_report TO the login.")
            }
            // The roles do not exist before the first migration: invalid_parameter_value, undefined_object.
            guard let state = error.sqlState, ["22023", "42704"].contains(state) else { throw error }
        }
        guard isPrivate else {
            throw Mistake("The database has not the schema of this program yet; make it with: usage migrate")
        }
        _ = try await Books.migrate(self, dryRun: false)
    }
}
