import Logging
import Postgres

/// A database of a test's own on the shared server.
public struct TestDatabase: Sendable {
    /// Where it is.
    public let url: String
    private let name: String

    /// The database that a ``DatabaseTrait`` made for the running test.
    public static var current: TestDatabase {
        guard let scoped else { preconditionFailure("the test has no database; give its suite the trait .database") }
        return scoped
    }

    /// A logger that says nothing.
    public static var logger: Logger { TestServer.logger }

    @TaskLocal static var scoped: TestDatabase?

    /// Makes a database that has the migrations, copied from a template that is migrated once.
    public static func make(migrations: [Migration]) async throws -> TestDatabase {
        let template = migrations.isEmpty ? "template1" : try await self.template(for: migrations)
        let name = "test_\(UInt64.random(in: 0 ... .max))"
        let administration = try TestServer.administration.get()
        try await administration.execute(Statement("CREATE DATABASE \(name) TEMPLATE \(template) STRATEGY file_copy"))
        return TestDatabase(url: try url(of: name), name: name)
    }

    /// Makes a database with nothing in it.
    public static func emptyDatabase() async throws -> TestDatabase {
        try await make(migrations: [])
    }

    /// A server of the test's own, to be killed and started again; the test removes it.
    public static func server() throws -> PrivateServer {
        let server = PrivateServer()
        try server.start()
        return server
    }

    /// Connections to the database.
    public func pool(maximumConnections: Int = 4, role: String? = nil) -> ConnectionPool {
        pool(PostgresConfiguration(url: url, role: role, maximumConnections: maximumConnections))
    }

    /// Connections with a configuration of the test's own.
    public func pool(_ configuration: PostgresConfiguration) -> ConnectionPool {
        ConnectionPool(configuration, logger: TestServer.logger)
    }

    /// Removes the database, whoever is still connected to it.
    public func drop() async throws {
        try await TestServer.administration.get().execute(Statement("DROP DATABASE \(name) WITH (FORCE)"))
    }

    private static func url(of name: String) throws -> String {
        let url = try TestServer.shared.get().url
        // Programs start by the dozen here, and connect when it is their turn.
        return url.replacing("/usage?", with: "/\(name)?connect_timeout=60&")
    }

    private static func template(for migrations: [Migration]) async throws -> String {
        // Within one process equal migrations have equal hashes, and the server is the process's own.
        let name = "template_\(UInt(bitPattern: migrations.hashValue))"
        let administration = try TestServer.administration.get()
        let url = try url(of: "\(name)_unfinished")
        try await administration.withConnection { (connection) throws(PostgresError) in
            try await connection.execute("SELECT pg_advisory_lock(1)")
            do throws(PostgresError) {
                try await make(template: name, url: url, migrations: migrations, on: connection)
            } catch {
                try await connection.execute("SELECT pg_advisory_unlock(1)")
                throw error
            }
            try await connection.execute("SELECT pg_advisory_unlock(1)")
        }
        return name
    }

    private static func make(
        template name: String, url: String, migrations: [Migration], on connection: Connection
    ) async throws(PostgresError) {
        let found = try await connection.query("SELECT FROM pg_database WHERE datname = $1", name)
        guard found.isEmpty else { return }
        try await connection.execute(Statement("DROP DATABASE IF EXISTS \(name)_unfinished"))
        try await connection.execute(Statement("CREATE DATABASE \(name)_unfinished"))
        let pool = ConnectionPool(PostgresConfiguration(url: url), logger: TestServer.logger)
        let migrator = Migrator(migrations: migrations, logger: TestServer.logger)
        do throws(PostgresError) { try await migrator.migrate(pool) } catch {
            await pool.close()
            throw error
        }
        await pool.close()
        try await connection.execute(Statement("ALTER DATABASE \(name)_unfinished RENAME TO \(name)"))
    }
}
