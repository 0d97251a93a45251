import Foundation
import Postgres
import RivyaSandbox
import TestDatabase
import Testing

extension World {
    /// Runs a test in a world with a server of its own, to be killed, frozen and filled, and compares the books with the
    /// provider's at the end.
    static func withServer(
        _ server: PrivateServer = PrivateServer(), at url: String? = nil,
        _ settings: SandboxSettings = SandboxSettings(openingCredits: 100_000, secondsToFinish: 0.2),
        _ body: @Sendable (World, PrivateServer) async throws -> Void
    ) async throws {
        try server.start()
        defer { server.remove() }
        try await RivyaSandbox.withSandbox(settings: settings) { sandbox, baseURL async throws in
            let usage = Program(environment: [
                "DATABASE_URL": url ?? server.url, "RIVYA_BASE_URL": baseURL,
                "RIVYA_API_KEY": SandboxSettings.defaultKey,
            ])
            let pool = ConnectionPool(
                PostgresConfiguration(url: url ?? server.url),
                logger: TestDatabase.logger)
            let world = World(usage: usage, sandbox: sandbox, pool: pool)
            for arguments in [["migrate"], ["project", "create", "films", "--month", "90000"], ["wallet", "--read"]] {
                let outcome = try await usage.run(arguments)
                #expect(outcome.status == 0, "\(outcome.errors)")
            }
            try await body(world, server)
            try await world.expectEqualBooks()
            await pool.close()
        }
    }

    /// Submits a task, which is expected to be queued.
    func submit(_ prompt: String = "A lighthouse") async throws {
        let outcome = try await usage.run("submit", "--project", "films", "--prompt", prompt)
        #expect(outcome.status == 0, "\(outcome.errors)")
    }

    /// Submits as many tasks in one go.
    func submit(count: Int) async throws {
        let file = try TemporaryFile((0..<count).map { #"{"project": "films", "prompt": "Scene \#($0)"}"# })
        let outcome = try await usage.run("submit", "--file", file.path)
        #expect(outcome.status == 0, "\(outcome.errors)")
    }

    /// Create requests that the provider has had.
    var creates: Int { get async { await sandbox.books.report(includingTasks: false).requests["create"] ?? 0 } }

    /// Waits until something is so, and returns how long that took.
    @discardableResult
    func wait(
        atMost limit: Duration = .seconds(180), until what: Comment, _ isSo: () async throws -> Bool
    ) async throws -> Duration {
        let start = ContinuousClock.now
        while try await !isSo() {
            try #require(ContinuousClock.now - start < limit, what)
            try await Task.sleep(for: .milliseconds(10))
        }
        return ContinuousClock.now - start
    }
}
