import Logging
import Postgres

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// The one server that all tests of a process share, gone when the process ends.
enum TestServer {
    /// Where the server is; started by whoever asks first.
    static let shared: Result<PrivateServer, LocalPostgresError> = {
        removeLeftovers()
        let server = PrivateServer(settings: [
            "max_connections": "300", "shared_buffers": "32MB", "autovacuum": "off", "wal_level": "minimal",
            "max_wal_senders": "0",
        ])
        do throws(LocalPostgresError) { try server.start() } catch { return .failure(error) }
        atexit { if case .success(let server) = TestServer.shared { server.remove() } }
        return .success(server)
    }()

    static let prefix = "usage-test-"

    /// A logger that says nothing.
    static let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    /// Connections for making and dropping databases.
    static let administration: Result<ConnectionPool, LocalPostgresError> = shared.map { server in
        ConnectionPool(
            PostgresConfiguration(
                url: server.url, statementTimeout: .seconds(120), maximumConnections: 8, acquireTimeout: .seconds(120)),
            logger: logger)
    }

    // A process that crashed leaves its server running. Its number is in the folder's name.
    private static func removeLeftovers() {
        let parent = FileManager.default.temporaryDirectory.path()
        for name in (try? FileManager.default.contentsOfDirectory(atPath: parent)) ?? [] where name.hasPrefix(prefix) {
            let process = name.dropFirst(prefix.count).prefix { $0.isNumber }
            guard let process = Int32(process), kill(process, 0) != 0, errno == ESRCH else { continue }
            PrivateServer(home: "\(parent)/\(name)").remove()
        }
    }
}
