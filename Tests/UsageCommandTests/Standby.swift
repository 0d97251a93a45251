import Foundation
import TestDatabase
import Testing

@testable import Postgres

/// A hot standby of a private server, to be promoted.
struct Standby: Sendable {
    let primary: PrivateServer
    let home: String

    init(of primary: PrivateServer) {
        self.primary = primary
        home = primary.home + "-standby"
    }

    var socketFolder: String { "\(home)/socket" }
    private var data: String { "\(home)/data" }
    private var url: String { primary.url.replacing("\(primary.home)/postgres/socket", with: socketFolder) }

    /// Copies the primary, which runs, and starts to follow it.
    func start() throws {
        let owner = try FileManager.default.attributesOfItem(atPath: primary.dataDirectory)
        let attributes = owner.filter { [.ownerAccountID, .groupOwnerAccountID].contains($0.key) }
        for folder in [home, socketFolder] {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
            try FileManager.default.setAttributes(attributes, ofItemAtPath: folder)
        }
        try run("pg_basebackup", ["-d", primary.url, "-D", data, "-R", "-c", "fast"])
        try run(
            "pg_ctl",
            [
                "start", "-w", "-D", data, "-l", "\(home)/log", "-o",
                "-c listen_addresses='' -c unix_socket_directories='\(socketFolder)' -c fsync=off",
            ])
    }

    /// Waits until all that the primary has written is here.
    func catchUp() async throws {
        let source = pool(primary.url)
        let end: String = try await source.query("SELECT pg_current_wal_flush_lsn()::text AS lsn")[0].decode("lsn")
        await source.close()
        let pool = pool(url)
        let deadline = ContinuousClock.now + .seconds(30)
        while try await pool.query(
            "SELECT FROM pg_last_wal_replay_lsn() AS lsn WHERE lsn >= $1::text::pg_lsn", end
        ).isEmpty {
            try #require(ContinuousClock.now < deadline, "the standby does not catch up")
            try await Task.sleep(for: .milliseconds(20))
        }
        await pool.close()
    }

    /// Lets it take changes.
    func promote() async throws {
        let pool = pool(url)
        try await pool.execute("SELECT pg_promote(true)")
        await pool.close()
    }

    /// Ends it and removes its folder.
    func remove() {
        try? run("pg_ctl", ["stop", "-m", "immediate", "-D", data])
        try? FileManager.default.removeItem(atPath: home)
    }

    /// The machine's own programs.
    static func installation() throws -> ServerInstallation {
        try ServerInstallation.find(environment: ProcessInfo.processInfo.environment, required: nil)
    }

    private func pool(_ url: String) -> ConnectionPool {
        ConnectionPool(
            PostgresConfiguration(url: url, maximumConnections: 1),
            logger: TestDatabase.logger)
    }

    /// Runs one of the server's programs as the server's user, who alone may.
    private func run(_ program: String, _ arguments: [String]) throws {
        // Not Process, which takes a program for running while a server that it started does.
        let command = try ServerUser.choose().prefix + [Self.installation().program(program)] + arguments
        try #require(ServerProgram.run(command, limit: .seconds(60)) == 0, "\(program) failed")
    }
}
