import AsyncHTTPClient
import Foundation
import Logging
import NIOCore
import Postgres
import RivyaSandbox

/// The parts of a storm: the server, the sandbox, the relays in front of both, and the programs' environment.
struct World: Sendable {
    /// Times that are short enough for a storm, in seconds.
    static let workerArguments = [
        "--poll-interval", "0.3", "--slowest-poll-interval", "1", "--lease", "2", "--request-timeout", "2",
        "--reading-interval", "2",
        "--retry-interval", "2", "--resend-window", "6", "--recheck-delay", "4", "--concurrency", "8",
    ]

    let plan: Plan
    /// Holds everything that the storm writes.
    let folder: String
    /// The binary `usage`.
    let program: String
    let watchdog: Watchdog
    let tally: Tally
    let clock: WorldClock
    let server: PostgresServer
    let sandbox: RivyaSandbox
    let sandboxURL: String
    let provider: Relay
    let database: Relay
    /// Our books, as the owner sees them, past the relay.
    let books: ConnectionPool

    var reference: String { "\(folder)/reference.png" }

    /// What a process finds in its environment.
    ///
    /// - Parameter isDirect: Whether it reaches both sides past the relays.
    func environment(isDirect: Bool = false, clockAhead: Double = 0) -> [String: String] {
        guard case .port(let port) = provider.place, case .unix(let socket) = database.place else { return [:] }
        let relayFolder = String(socket.dropLast("/.s.PGSQL.5432".count))
        var all = [
            "PATH": "/usr/bin:/bin", "HOME": folder, "USAGE_LOG_LEVEL": "notice",
            "USAGE_CLOCK": (clock.now + clockAhead).ISO8601Format(),
            "DATABASE_URL": isDirect ? server.url : "postgresql:///usage?host=\(relayFolder)&user=usage",
            "RIVYA_BASE_URL": isDirect ? sandboxURL : "http://127.0.0.1:\(port)",
        ]
        for wallet in plan.wallets { all[wallet.keyVariable] = wallet.key }
        return all
    }

    /// Starts `usage`.
    func start(
        _ arguments: [String], output: String = "/dev/null", errors: String, isDirect: Bool = false,
        clockAhead: Double = 0
    ) throws -> Child {
        try Child(
            program, arguments, environment: environment(isDirect: isDirect, clockAhead: clockAhead), output: output,
            errors: errors, group: watchdog.group)
    }

    /// What a run of `usage` left behind.
    struct Outcome: Sendable {
        let end: Child.End
        let output: String
        let errors: String
    }

    /// Runs `usage` past the relays to its end; it is killed after a while.
    func run(_ arguments: [String], isDirect: Bool = true, within seconds: Double = 60) async throws -> Outcome {
        let name = "\(folder)/run-\(UUID().uuidString)"
        let child = try start(arguments, output: "\(name).out", errors: "\(name).err", isDirect: isDirect)
        let end = await child.end(within: seconds)
        defer { for suffix in ["out", "err"] { try? FileManager.default.removeItem(atPath: "\(name).\(suffix)") } }
        return Outcome(end: end, output: Self.text(of: "\(name).out"), errors: Self.text(of: "\(name).err"))
    }

    static func text(of path: String) -> String {
        FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) } ?? ""
    }

    /// Reads our books, and reads again where a connection was one to a server that has been killed since.
    func read(_ statement: Statement, _ parameters: any PostgresEncodable...) async throws -> Rows {
        for _ in 0..<8 {
            do throws(PostgresError) {
                return try await books.query(statement, parameters: parameters)
            } catch {
                guard error.isTransient else { throw error }
            }
            try await Task.sleep(for: .milliseconds(250))
        }
        return try await books.query(statement, parameters: parameters)
    }

    /// The provider's own account of everything, over HTTP.
    func providerBooks() async throws -> BooksReport {
        let response = try await HTTPClient.shared.execute(
            HTTPClientRequest(url: "\(sandboxURL)/books"), timeout: .seconds(60))
        let body = try await response.body.collect(upTo: 1 << 30)
        return try JSONDecoder().decode(BooksReport.self, from: Data(body.readableBytesView))
    }
}

extension Child {
    /// Waits for its end, and kills it after a while.
    func end(within seconds: Double) async -> End {
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                do { try await Task.sleep(for: .seconds(seconds)) } catch { return }
                send(SIGKILL)
            }
            defer { group.cancelAll() }
            return await end()
        }
    }
}
