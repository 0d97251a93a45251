import Logging
import Postgres
import TestDatabase
import Testing

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

@Suite struct `A private server` {
    private func withHome(
        _ suffix: String = "", _ body: (String) async throws -> Void
    ) async throws {
        let server = PrivateServer()
        defer { server.remove() }
        try await body(server.home + suffix)
    }

    private func local(_ home: String, environment: [String: String] = [:]) -> LocalPostgres {
        LocalPostgres(home: home, environment: environment, syncsToDisk: false)
    }

    private func answer(_ url: String) async throws -> Int {
        let pool = ConnectionPool(PostgresConfiguration(url: url), logger: .init(label: "test"))
        return try await pool.query("SELECT 42")[0].decode(at: 0)
    }

    @Test func `starts, is joined, stops and starts again`() async throws {
        try await withHome { home in
            let server = local(home)
            #expect(server.status() == .absent)
            let started = try server.start()
            #expect(started.isRunning)
            #expect(try await answer(server.url) == 42)
            #expect(try local(home).start() == started)
            try server.stop()
            #expect(server.status() == .stopped(dataDirectory: "\(home)/postgres/data"))
            try server.stop()
            #expect(try server.start().isRunning)
            #expect(try await answer(server.url) == 42)
        }
    }

    @Test func `is one server when many start it at once`() async throws {
        try await withHome { home in
            let processes = try await withThrowingTaskGroup { group in
                for _ in 0..<4 { group.addTask { try local(home).start() } }
                return try await group.reduce(into: [LocalPostgresStatus]()) { $0.append($1) }
            }
            #expect(processes.count == 4)
            #expect(processes.allSatisfy { $0 == processes[0] && $0.isRunning })
        }
    }

    @Test func `comes back after it was killed`() async throws {
        try await withHome { home in
            guard case .running(let url, let first, _, _) = try local(home).start() else { return }
            kill(first, SIGKILL)
            while local(home).status().isRunning {}
            // The number in the file left behind may by now be that of any other program, such as this one.
            let file = "\(home)/postgres/data/postmaster.pid"
            let lines = try String(contentsOfFile: file, encoding: .utf8).split(separator: "\n").dropFirst()
            try Data("\(getpid())\n\(lines.joined(separator: "\n"))\n".utf8).write(to: URL(filePath: file))
            guard case .running(_, let second, _, _) = try local(home).start() else { return }
            #expect(second != first)
            #expect(try await answer(url) == 42)
        }
    }

    @Test func `is made anew when making it was broken off`() async throws {
        try await withHome { home in
            try FileManager.default.createDirectory(
                atPath: "\(home)/postgres/data.unfinished/base", withIntermediateDirectories: true)
            #expect(local(home).status() == .absent)
            #expect(try local(home).start().isRunning)
        }
    }

    @Test func `has a socket elsewhere when its folder's path is too long`() async throws {
        try await withHome("/" + String(repeating: "long", count: 30) + " and 'quoted'") { home in
            let server = local(home)
            defer { try? server.stop() }
            try server.start()
            #expect(try await answer(server.url) == 42)
        }
    }

    @Test func `tells how to install what is missing`() async throws {
        try await withHome { home in
            let missing = local(home, environment: ["USAGE_POSTGRES_BIN": "/nowhere"])
            let error = #expect(throws: LocalPostgresError.self) { try missing.start() }
            #expect(error?.message == "USAGE_POSTGRES_BIN is '/nowhere', where PostgreSQL's initdb and pg_ctl are not.")
        }
    }

    @Test func `tells when its folder cannot be made`() async throws {
        let error = #expect(throws: LocalPostgresError.self) { try local("/proc/usage").start() }
        #expect(error?.message.contains("set USAGE_HOME to") == true)
    }

    @Test(.enabled(if: geteuid() == 0))
    func `tells when its user cannot reach its folder`() async throws {
        try await withHome { home in
            try FileManager.default.createDirectory(atPath: home, withIntermediateDirectories: true)
            chmod(home, 0o700)
            let error = #expect(throws: LocalPostgresError.self) { try local("\(home)/inner").start() }
            #expect(error?.message.contains("\(home) cannot be entered by the user 'postgres'") == true)
        }
    }

    @Test func `keeps to where its folder is told to be`() {
        #expect(LocalPostgres.defaultHome(environment: ["USAGE_HOME": "/a"]) == "/a")
        let home = LocalPostgres.defaultHome(environment: ["HOME": "/home/me"])
        #expect(home == (geteuid() == 0 ? "/var/lib/usage" : "/home/me/.local/share/usage"))
    }
}
