import Foundation
import Logging
import Postgres
import UsageSQL

/// A PostgreSQL of this run's own in a temporary folder: it syncs to disk, and all settings that matter are the defaults.
struct BenchmarkServer: Sendable {
    private static let prefix = "usage-benchmark-"
    private let server: LocalPostgres
    /// The server's first process.
    let processID: Int32
    /// The folder of the data.
    let dataDirectory: String
    /// The folder of PostgreSQL's programs.
    let programs: String
    /// Connections to the server's first database, as its owner.
    let administration: ConnectionPool

    /// Starts the server, after removing those that earlier runs left behind.
    static func start() throws -> BenchmarkServer {
        let parent = URL.temporaryDirectory.path()
        for name in try FileManager.default.contentsOfDirectory(atPath: parent) where name.hasPrefix(prefix) {
            guard let process = Int32(name.dropFirst(prefix.count)), kill(process, 0) != 0, errno == ESRCH else {
                continue
            }
            remove(LocalPostgres(home: "\(parent)\(name)"))
        }
        let server = LocalPostgres(home: "\(parent)\(prefix)\(ProcessInfo.processInfo.processIdentifier)")
        guard case .running(let url, let processID, _, let dataDirectory) = try server.start() else {
            throw Mistake("The server did not start; see \(server.home).")
        }
        // The first word is the server program's path. Source: PostgreSQL, postmaster.c, CreateOptsFile.
        let options = try String(contentsOfFile: "\(dataDirectory)/postmaster.opts", encoding: .utf8)
        let program = URL(filePath: String(options.prefix { $0 != " " }))
        return BenchmarkServer(
            server: server, processID: processID, dataDirectory: dataDirectory,
            programs: program.deletingLastPathComponent().path(),
            administration: BenchmarkDatabase.pool(url: url, role: nil))
    }

    /// Stops the server and removes its folder.
    func remove() { Self.remove(server) }

    private static func remove(_ server: LocalPostgres) {
        do { try server.stop() } catch { return Progress.note("\(error)") }
        try? FileManager.default.removeItem(atPath: server.home)
    }

    /// The path of one of PostgreSQL's programs, such as `pgbench`.
    func program(_ name: String) throws -> String {
        let path = URL(filePath: programs).appending(path: name).path()
        guard FileManager.default.isExecutableFile(atPath: path) else {
            throw Mistake("\(name) was not found in \(programs); install all of PostgreSQL's programs.")
        }
        return path
    }

    /// Makes a database with this program's schema.
    func database(_ name: String) async throws -> BenchmarkDatabase {
        try await administration.execute(Statement("DROP DATABASE IF EXISTS \"\(name)\" WITH (FORCE)"))
        try await administration.execute(Statement("CREATE DATABASE \"\(name)\""))
        let database = BenchmarkDatabase(
            name: name, url: server.url.replacing("/usage?", with: "/\(name)?"), server: self)
        try await Migrator(migrations: UsageSQL.migrations, logger: BenchmarkDatabase.logger).migrate(database.owner)
        return database
    }

    /// Writes out what is dirty.
    func checkpoint() async throws { try await administration.execute("CHECKPOINT") }
}

/// A database of one benchmark.
struct BenchmarkDatabase: Sendable {
    static let logger = Logger(label: "benchmark") { _ in SwiftLogNoOpLogHandler() }

    let name: String
    let url: String
    let server: BenchmarkServer
    /// Connections as the owner of the schema.
    let owner: ConnectionPool

    init(name: String, url: String, server: BenchmarkServer) {
        self.name = name
        self.url = url
        self.server = server
        owner = Self.pool(url: url, role: nil)
    }

    /// Connections in a role, such as `usage_service`.
    func pool(role: String) -> ConnectionPool { Self.pool(url: url, role: role) }

    /// Removes the database.
    func drop() async throws {
        await owner.close()
        try await server.administration.execute(Statement("DROP DATABASE \"\(name)\" WITH (FORCE)"))
    }

    /// Connections to a database anywhere.
    static func pool(url: String, role: String?) -> ConnectionPool {
        ConnectionPool(
            PostgresConfiguration(url: url, role: role, statementTimeout: .seconds(3600), maximumConnections: 4),
            logger: logger)
    }
}

/// Why a benchmark cannot run, in one sentence.
struct Mistake: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
