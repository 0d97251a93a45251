import Accounting
import Foundation
import Ledger
import Postgres
import RivyaClient
import RivyaSandbox
import TestDatabase
import Testing
import UsageSQL

@testable import Worker

@Suite(.timeLimit(.minutes(10))) struct `An outage` {
    @Test(.books) func `of the provider keeps every hold, and ends in the charges`() async throws {
        // Below the range from which the system hands out ports by itself.
        let port = Int.random(in: 20_000..<30_000)
        let sandbox = try RivyaSandbox(settings: .endless, port: port, logger: Scene.logger)
        let (baseURL, databaseURL) = ("http://127.0.0.1:\(port)", TestDatabase.current.url)
        try await withScene(of: sandbox, at: baseURL, databaseURL: databaseURL) { scene async throws in
            let ids = try await scene.submit(count: 6)
            try await scene.withWorker { _ in
                try await scene.until("the provider was not there") { try await scene.errors().count >= 6 }
                #expect(Set(try await scene.errors()) == ["create not_sent"])
                try await running(sandbox) {
                    try await scene.until("all are accepted") {
                        try await scene.number("SELECT count(*) AS number FROM acceptance") == 6
                    }
                }
                try await scene.until("the provider is gone") {
                    try await scene.errors().contains("status not_sent")
                }
                #expect(try await scene.standings() == Array(repeating: .accepted, count: 6))
                for id in ids { try await sandbox.finish(try await scene.providerTaskID(of: id), .succeeded) }
                try await running(sandbox) {
                    try await scene.until("all are charged") {
                        try await scene.number("SELECT count(*) AS number FROM settlement") == 6
                    }
                }
            }
            #expect(try await scene.standings() == Array(repeating: .succeeded, count: 6))
        }
    }

    @Test func `of the database loses nothing that was booked or answered`() async throws {
        let server = try TestDatabase.server()
        defer { server.remove() }
        let pool = ConnectionPool(PostgresConfiguration(url: server.url), logger: Scene.logger)
        try await Migrator(migrations: UsageSQL.migrations, logger: Scene.logger).migrate(pool)
        await pool.close()
        let settings = SandboxSettings(openingCredits: 100_000, secondsToFinish: 0.3)
        try await RivyaSandbox.withSandbox(settings: settings) { sandbox, baseURL in
            try await withScene(of: sandbox, at: baseURL, databaseURL: server.url) { scene async throws in
                try await scene.submit(count: 30)
                // What was claimed as the server died is its own again when that lease ends.
                try await scene.withWorker(.quick { $0.lease = .seconds(3) }) { _ in
                    try await scene.until("some are accepted") {
                        try await scene.number("SELECT count(*) AS number FROM acceptance") >= 5
                    }
                    try server.restart()
                    try await scene.until("all are charged") {
                        try await retrying { try await scene.number("SELECT count(*) AS number FROM settlement") } == 30
                    }
                }
                #expect(try await scene.standings() == Array(repeating: .succeeded, count: 30))
                #expect(await sandbox.books.report().tasks.count == 30)
            }
        }
    }

    @Test(.books) func `of one statement that somebody cancels on the server stops no worker`() async throws {
        try await withScene { scene async throws in
            try await scene.withWorker { _ in
                try await TestDatabase.current.pool(maximumConnections: 1).withConnection {
                    (owner) throws(PostgresError) in
                    try await owner.execute("BEGIN")
                    try await owner.execute("LOCK TABLE task_work")
                    // Not by pg_stat_activity, which shows a transaction the sessions that there were when it looked first.
                    var cancelled = 0
                    while cancelled < 3 {
                        cancelled += try await owner.query(
                            """
                            SELECT pg_cancel_backend(pid) FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database
                            WHERE NOT granted AND datname = current_database()
                            """
                        ).count
                    }
                    try await owner.execute("COMMIT")
                }
                let id = try await scene.submit()
                try await scene.until("it is charged") { try await scene.standing(of: id) == .succeeded }
            }
        }
    }

    /// Runs a sandbox while a closure runs, and stops it the way a crash does.
    private func running(_ sandbox: RivyaSandbox, _ body: () async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await sandbox.run() }
            try await body()
            group.cancelAll()
            while await group.nextResult() != nil {}
        }
    }

    /// What a query says, or 0 while the database cannot be reached.
    private func retrying(_ query: () async throws -> Int64) async throws -> Int64 {
        do {
            return try await query()
        } catch let error as PostgresError where error.isTransient {
            return 0
        }
    }
}

@Suite(.books, .timeLimit(.minutes(10))) struct `A lease that has ended` {
    /// A worker that was stopped, as by a laptop's lid, after it took a task and before it sent it.
    private func worker(of scene: Scene, _ client: RivyaClient) -> Worker {
        Worker(ledger: scene.ledger, pool: scene.pool, client: client, settings: .quick, logger: Scene.logger)
    }

    @Test func `gives no right to send its task`() async throws {
        try await withScene { scene async throws in
            let id = try await scene.submit()
            try await scene.withClient { client in
                let worker = worker(of: scene, client)
                let now = try await scene.ledger.databaseTime()
                let tasks = try await scene.ledger.claim(upTo: 1, at: now, leaseUntil: now + 0.05)
                worker.lanes.take(tasks, until: now + 0.05)
                try await Task.sleep(for: .milliseconds(100))
                await worker.work(on: try #require(tasks.first))
            }
            #expect(await scene.sandbox.books.report().requests["create"] ?? 0 == 0)
            #expect(try await scene.standing(of: id) == TaskStanding(state: "sending", held: 42))
            try await scene.work()
            #expect(try await scene.standing(of: id) == .succeeded)
        }
    }

    @Test func `that was extended gives it`() async throws {
        try await withScene { scene async throws in
            let id = try await scene.submit()
            try await scene.withClient { client in
                let worker = worker(of: scene, client)
                let now = try await scene.ledger.databaseTime()
                let tasks = try await scene.ledger.claim(upTo: 1, at: now, leaseUntil: now + 0.05)
                worker.lanes.take(tasks, until: now + 0.05)
                worker.lanes.extend([id], until: now + 60)
                try await Task.sleep(for: .milliseconds(100))
                await worker.work(on: try #require(tasks.first))
            }
            #expect(try await scene.standing(of: id) == .accepted)
            try await scene.work()
        }
    }
}
