import Accounting
import Foundation
import Ledger
import Logging
import Postgres
import RivyaClient
import RivyaSandbox
import ServiceLifecycle
import TestDatabase
import Testing
import UsageSQL

@testable import Worker

/// All that a worker works with: books in a database of the test's own, and a provider on loopback.
struct Scene: Sendable {
    static let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    let sandbox: RivyaSandbox
    let baseURL: String
    let databaseURL: String
    let pool: ConnectionPool
    let ledger: Ledger

    /// Runs a worker with connections of its own, as another process would, until all tasks have come to an end.
    func work(
        _ settings: WorkerSettings = .quick, timeout: Duration = .seconds(10),
        clock: @escaping @Sendable () -> Date = { Date() }
    ) async throws {
        var settings = settings
        settings.stopsWhenIdle = true
        try await makingWorker(settings, timeout, clock) { try await $0.run() }
    }

    /// Runs a worker while a closure runs, and shuts it down gracefully.
    func withWorker(
        _ settings: WorkerSettings = .quick, timeout: Duration = .seconds(10),
        clock: @escaping @Sendable () -> Date = { Date() }, _ body: (ServiceGroup) async throws -> Void
    ) async throws {
        try await makingWorker(settings, timeout, clock) { worker in
            let services = ServiceGroup(services: [worker], logger: Self.logger)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await services.run() }
                try await body(services)
                await services.triggerGracefulShutdown()
                try await group.waitForAll()
            }
        }
    }

    /// Waits until something is so, and gives up after three minutes.
    func until(_ what: Comment, _ isSo: () async throws -> Bool) async throws {
        let deadline = ContinuousClock.now + .seconds(180)
        while try await !isSo() {
            guard ContinuousClock.now < deadline else {
                Issue.record("waited in vain until \(what)")
                throw CancellationError()
            }
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    /// A client with the key of the sandbox.
    func withClient<Value>(
        timeout: Duration = .seconds(10), _ body: (RivyaClient) async throws -> Value
    ) async throws -> Value {
        let configuration = try RivyaConfiguration(
            baseURL: baseURL, apiKey: APIKey(SandboxSettings.defaultKey), requestTimeout: timeout, retry: .never)
        let client = RivyaClient(configuration, logger: Self.logger)
        do {
            let value = try await body(client)
            await client.shutdown()
            return value
        } catch {
            await client.shutdown()
            throw error
        }
    }

    private func makingWorker(
        _ settings: WorkerSettings, _ timeout: Duration, _ clock: @escaping @Sendable () -> Date,
        _ body: (Worker) async throws -> Void
    ) async throws {
        let pool = ConnectionPool(
            PostgresConfiguration(url: databaseURL, applicationName: "worker"), logger: Self.logger)
        let ledger = Ledger(wallet: ledger.wallet, pool: pool)
        do {
            try await withClient(timeout: timeout) { client in
                let worker = Worker(
                    ledger: ledger, pool: pool, client: client, settings: settings, logger: Self.logger, clock: clock)
                try await body(worker)
            }
        } catch {
            await pool.close()
            throw error
        }
        await pool.close()
    }
}

/// Runs a closure with a sandbox and books, and then compares both to the credit.
func withScene(
    _ settings: SandboxSettings = .quick, hasReading: Bool = true, _ body: (Scene) async throws -> Void
) async throws {
    try await RivyaSandbox.withSandbox(settings: settings) { sandbox, baseURL in
        try await withScene(
            of: sandbox, at: baseURL, databaseURL: TestDatabase.current.url, hasReading: hasReading, body)
    }
}

/// The same with a sandbox that somebody else runs.
func withScene(
    of sandbox: RivyaSandbox, at baseURL: String, databaseURL: String, hasReading: Bool = true,
    _ body: (Scene) async throws -> Void
) async throws {
    let pool = ConnectionPool(PostgresConfiguration(url: databaseURL), logger: Scene.logger)
    do {
        let ledger = Ledger(wallet: try await Wallet.named("main", in: pool), pool: pool)
        let scene = Scene(sandbox: sandbox, baseURL: baseURL, databaseURL: databaseURL, pool: pool, ledger: ledger)
        try await ledger.createProject("film", month: .credits(1_000_000), at: Date())
        if hasReading { try await scene.bookBalance() }
        try await body(scene)
        try await scene.compareBooks()
    } catch {
        await pool.close()
        throw error
    }
    await pool.close()
}

extension Trait where Self == DatabaseTrait {
    /// A migrated database for each test.
    static var books: Self { .database(migrations: UsageSQL.migrations) }
}

extension SandboxSettings {
    /// A provider with credits to spare, whose tasks take 30 ms.
    static var quick: SandboxSettings { SandboxSettings(openingCredits: 100_000, secondsToFinish: 0.03) }

    /// A provider whose tasks end only when they are told to.
    static var endless: SandboxSettings { SandboxSettings(openingCredits: 100_000, secondsToFinish: 1_000_000) }
}

extension WorkerSettings {
    /// A worker that waits a few milliseconds where a real one waits seconds. It reads no balance where there is a
    /// reading, and no failed task again.
    static var quick: WorkerSettings {
        WorkerSettings(
            concurrency: 8, lease: .seconds(30),
            polling: PollSchedule(first: .milliseconds(20), interval: .milliseconds(20), slowest: .milliseconds(50)),
            retry: RetryPolicy(
                maximumAttempts: .max, baseDelay: .milliseconds(10), maximumDelay: .milliseconds(50),
                maximumRetryAfter: .seconds(1)),
            readingInterval: .seconds(3600), recheckDelay: .seconds(3600))
    }

    /// The same with some of it changed.
    static func quick(_ change: (inout WorkerSettings) -> Void) -> WorkerSettings {
        var settings = quick
        change(&settings)
        return settings
    }
}
