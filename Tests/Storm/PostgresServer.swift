import Dispatch
import Foundation
import Postgres

/// The storm's own PostgreSQL, which is killed and comes back. Everything about it happens one after another.
final class PostgresServer: Sendable {
    private let server: LocalPostgres
    private let queue = DispatchQueue(label: "storm.postgres")

    init(home: String) {
        server = LocalPostgres(
            home: home, environment: ProcessInfo.processInfo.environment,
            settings: ["max_connections": "400", "shared_buffers": "64MB"], syncsToDisk: false)
    }

    /// Where the database is, without a relay in between.
    var url: String { server.url }

    /// The socket that it listens on.
    var socketPath: String {
        get throws {
            guard let folder = url.split(separator: "host=").last?.split(separator: "&").first else {
                throw Place.ListenError()
            }
            return "\(folder.removingPercentEncoding ?? "")/.s.PGSQL.5432"
        }
    }

    func start() async throws { try await inTurn { try $0.start() } }

    /// Ends the server by a signal, and starts it again after a while: SIGKILL for its first process, as the system kills
    /// a program, or SIGQUIT, its immediate stop.
    func restart(by signal: Int32, after seconds: Double) async throws {
        try await inTurn { server in
            if let processID = server.processID {
                kill(processID, signal)
                while server.status().isRunning { usleep(1_000) }
            }
            usleep(UInt32(seconds * 1_000_000))
            try server.start()
        }
    }

    /// Lets the server's first process, and so every new connection, stand still for a while.
    func freeze(for seconds: Double) async throws {
        try await inTurn { server in
            guard let processID = server.processID else { return }
            kill(processID, SIGSTOP)
            usleep(UInt32(seconds * 1_000_000))
            kill(processID, SIGCONT)
        }
    }

    /// Stops it and removes its folder.
    func remove() async throws {
        try await inTurn { server in
            try server.stop()
            try FileManager.default.removeItem(atPath: server.home)
        }
    }

    private func inTurn(_ act: @escaping @Sendable (LocalPostgres) throws -> Void) async throws {
        try await withCheckedThrowingContinuation { (caller: CheckedContinuation<Void, any Error>) in
            queue.async { [server] in caller.resume(with: Result { try act(server) }) }
        }
    }
}

extension LocalPostgres {
    fileprivate var processID: Int32? {
        guard case .running(_, let processID, _, _) = status() else { return nil }
        return processID
    }
}
