import Foundation
import Postgres
import RivyaSandbox
import Synchronization
import TestDatabase
import Testing
import UsageSQL

@Suite(.database(migrations: UsageSQL.migrations), .serialized, .timeLimit(.minutes(30)))
struct `The tasks of a worker that is killed` {
    /// Fifty by hand, with USAGE_TAKEOVERS=50.
    private static let count = ProcessInfo.processInfo.environment["USAGE_TAKEOVERS"].flatMap(Int.init) ?? 3

    /// Within ten seconds, measured where nothing else runs; beside all other tests, programs start and answer late.
    private static let bound: Duration =
        ProcessInfo.processInfo.environment["USAGE_TAKEOVERS"] == nil ? .seconds(60) : .seconds(10)

    @Test func `move on with another worker`() async throws {
        var times: [Duration] = []
        // One after the other in each world, and some worlds at once.
        try await withThrowingTaskGroup(of: Duration.self) { group in
            for started in 0..<Self.count {
                if started >= 5, let time = try await group.next() { times.append(time) }
                group.addTask { try await Self.takeover() }
            }
            for try await time in group { times.append(time) }
        }
        times.sort()
        let (median, worst) = (times[times.count / 2], times[times.count - 1])
        print("takeover after kill -9, of \(times.count): median \(median), worst \(worst), best \(times[0])")
        #expect(worst < Self.bound)
    }

    /// Kills a worker that is sending four tasks and following four, and waits until another has moved all eight.
    ///
    /// - Returns: How long that took, with the settings that a worker has by default.
    private static func takeover() async throws -> Duration {
        let database = try await TestDatabase.make(migrations: UsageSQL.migrations)
        var settings = SandboxSettings(openingCredits: 10_000, secondsToFinish: 1_000_000)
        settings.faults.slowSeconds = 120
        let time = Mutex<Duration?>(nil)
        try await World.with(settings, in: database) { world async throws in
            for number in 1...4 { try await world.submit("Scene \(number)") }
            await world.sandbox.failNext(.slow, times: 4, on: .status)
            let killed = try world.usage.start(["worker", "--request-timeout", "180"])
            try await world.wait(until: "SELECT count(*) FROM acceptance", is: 4)
            // The slow answers are spent on the worker that dies.
            while await world.sandbox.books.report(includingTasks: false).requests["status", default: 0] < 4 {
                try await Task.sleep(for: .milliseconds(20))
            }
            await world.sandbox.holdCreateAnswers()
            for number in 5...8 { try await world.submit("Scene \(number)") }
            await world.sandbox.waitForHeldCreates(count: 4)
            try await world.wait(until: "SELECT count(*) FROM task_work WHERE leased", is: 8)
            let other = try world.usage.start(["worker"])
            try await world.wait(
                until:
                    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query ILIKE 'listen%'",
                is: 2)
            // Leases are extended every 2.7 seconds: any moment between two.
            try await Task.sleep(for: .seconds(Double.random(in: 0...2.7)))
            try await world.pool.execute(
                "CREATE TABLE seen AS SELECT task_id, lease_token, attempts, polls FROM task_work")
            killed.kill()
            let start = ContinuousClock.now
            await world.sandbox.releaseCreateAnswers()
            // Taken by the other, and its request answered.
            try await world.wait(
                until: """
                    SELECT count(*) FROM task_work work JOIN seen USING (task_id)
                    WHERE work.lease_token > seen.lease_token AND work.state = 'accepted'
                        AND (work.polls > seen.polls OR work.attempts > seen.attempts)
                    """, is: 8)
            time.withLock { $0 = ContinuousClock.now - start }
            _ = await killed.outcome()
            other.terminate()
            #expect(await other.outcome()?.status == 0)
            let tasks = await world.sandbox.books.report().tasks
            #expect(tasks.map(\.createRequests).sorted() == [1, 1, 1, 1, 2, 2, 2, 2])
        }
        try await database.drop()
        let found = time.withLock { $0 }
        return try #require(found)
    }
}
