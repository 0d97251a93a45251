import Accounting
import Foundation
import Ledger
import RivyaSandbox
import ServiceLifecycle
import TestDatabase
import Testing

@testable import Worker

@Suite(.books, .timeLimit(.minutes(10))) struct `Workers that share a wallet` {
    @Test(arguments: [1, 2, 3])
    func `bring 200 tasks through every fault with one provider task each`(seed: Int) async throws {
        let faults: [Fault: Double] = [
            .serverError: 0.04, .apiDisabled: 0.03, .rateLimited: 0.04, .serverErrorAfter: 0.05, .cut: 0.05,
            .cutMidway: 0.04, .brokenJSON: 0.04, .unknownFields: 0.1, .missingFinalCredits: 0.05,
            .failedWithCharge: 0.05, .priceDifference: 0.05,
        ]
        var settings = SandboxSettings.quick
        settings.faults = Faults(faults, seed: seed)
        settings.secondsToFinish = 0.1
        settings.secondsToFinishSpread = 0.1
        settings.failureShare = 0.1
        try await withScene(settings) { scene async throws in
            try await scene.submit(count: 200)
            try await withThrowingTaskGroup(of: Void.self) { workers in
                for _ in 0..<2 { workers.addTask { try await scene.work() } }
                try await workers.waitForAll()
            }
            let provider = await scene.sandbox.books.report()
            #expect(provider.tasks.count == 200)
            #expect(provider.tasks.contains { $0.createRequests > 1 })
            #expect(try await scene.standings().allSatisfy { $0.held == 0 })
        }
    }

    @Test func `take over from one that dies while the provider answers, with one task and one charge`() async throws {
        try await withScene { scene async throws in
            let ids = try await scene.submit(count: 3)
            await scene.sandbox.holdCreateAnswers()
            await withTaskGroup(of: Void.self) { group in
                group.addTask { try? await scene.work(.quick { $0.lease = .milliseconds(200) }) }
                await scene.sandbox.waitForHeldCreates(count: 3)
                // Cancelled, it books nothing more, as if it had been killed.
                group.cancelAll()
            }
            for id in ids { #expect(try await scene.standing(of: id) == TaskStanding(state: "sending", held: 42)) }
            await scene.sandbox.releaseCreateAnswers()
            try await scene.work()
            for id in ids { #expect(try await scene.standing(of: id) == .succeeded) }
            let provider = await scene.sandbox.books.report()
            #expect(provider.tasks.map(\.createRequests) == [2, 2, 2])
        }
    }

    @Test func `do not take a task whose worker lives, however slow its provider is`() async throws {
        try await withScene { scene async throws in
            let id = try await scene.submit()
            await scene.sandbox.holdCreateAnswers()
            let settings = WorkerSettings.quick { $0.lease = .seconds(10) }
            let leaseEnd = "SELECT (extract(epoch FROM due_at) * 1000)::bigint AS number FROM task_work"
            try await scene.withWorker(settings, timeout: .seconds(300)) { _ in
                await scene.sandbox.waitForHeldCreates(count: 1)
                try await scene.withWorker(settings, timeout: .seconds(300)) { _ in
                    let first = try await scene.number(leaseEnd)
                    try await scene.until("the lease was extended past its end") {
                        let end = try await scene.number(leaseEnd)
                        return end > first + 10_000
                    }
                    await scene.sandbox.releaseCreateAnswers()
                    try await scene.until("it is charged") { try await scene.standing(of: id) == .succeeded }
                }
            }
            #expect(await scene.sandbox.books.report().tasks.map(\.createRequests) == [1])
        }
    }
}

@Suite(.books, .timeLimit(.minutes(10))) struct `A worker` {
    @Test func `that is idle is woken by a submission`() async throws {
        // It would look again by itself only after an hour.
        try await withScene { scene async throws in
            try await scene.withWorker(.quick { $0.lease = .seconds(3600) }) { _ in
                try await scene.until("it has nothing left to do") {
                    try await scene.number(
                        """
                        SELECT count(*) FILTER (WHERE query ILIKE 'listen%')
                               * count(*) FILTER (WHERE query LIKE '%is_unfinished%' OR query LIKE '%AS reading_%') AS number
                        FROM pg_stat_activity
                        WHERE datname = current_database() AND application_name = 'worker' AND state = 'idle'
                        """) >= 1
                }
                let id = try await scene.submit()
                try await scene.until("it is charged") { try await scene.standing(of: id) == .succeeded }
            }
        }
    }

    @Test func `that is shut down finishes what it has in hand and takes nothing new`() async throws {
        try await withScene { scene async throws in
            let ids = try await scene.submit(count: 5)
            await scene.sandbox.holdCreateAnswers()
            try await scene.withWorker(.quick { $0.concurrency = 2 }) { services in
                await scene.sandbox.waitForHeldCreates(count: 2)
                await services.triggerGracefulShutdown()
                await scene.sandbox.releaseCreateAnswers()
            }
            #expect(
                try await ids.asyncMap { try await scene.standing(of: $0) }
                    == [.accepted, .accepted, .queued, .queued, .queued])
            #expect(try await scene.number("SELECT count(*) AS number FROM task_work WHERE leased OR in_doubt") == 0)
            #expect(await scene.sandbox.books.report().requests["create"] == 2)
            try await scene.work()
            #expect(try await scene.standings() == Array(repeating: .succeeded, count: 5))
        }
    }

    @Test func `does not send what it has in hand again, even if its leases ran out`() async throws {
        try await withScene { scene async throws in
            let id = try await scene.submit()
            await scene.sandbox.holdCreateAnswers()
            try await scene.withWorker(.quick { $0.lease = .seconds(6) }) { _ in
                await scene.sandbox.waitForHeldCreates(count: 1)
                try await scene.makeDue()
                // A second task makes it look for work, and the first is due now.
                try await scene.submit(Scene.body("Another boat."))
                await scene.sandbox.waitForHeldCreates(count: 2)
                try await scene.until("the lease was extended") {
                    try await scene.number(
                        "SELECT count(*) AS number FROM task_work WHERE task_id = $1 AND due_at > now() + interval '1 s'",
                        id) == 1
                }
                await scene.sandbox.releaseCreateAnswers()
                try await scene.until("it is charged") { try await scene.standing(of: id) == .succeeded }
            }
            #expect(await scene.sandbox.books.report().tasks.map(\.createRequests) == [1, 1])
            try await scene.work()
        }
    }

    @Test func `with an end stops at once where there is nothing to do`() async throws {
        try await withScene { scene async throws in
            try await scene.work()
            #expect(await scene.sandbox.books.report().requests == [:])
        }
    }

    @Test func `leaves the tasks of another wallet alone`() async throws {
        try await withScene { scene async throws in
            try await Wallet.create("other", timeZone: "UTC", apiKeyVariable: "OTHER_KEY", at: Date(), in: scene.pool)
            let other = Ledger(wallet: try await Wallet.named("other", in: scene.pool), pool: scene.pool)
            try await other.createProject("film", month: .credits(420), at: Date())
            _ = try await other.finishReading(other.beginReading(), current: .credits(1000), by: "ada", at: Date())
            let id = TaskID.make(at: Date())
            _ = try await other.reserve(
                TaskSubmission(
                    taskID: id, project: "film", model: "kling-v2-5-turbo-pro", fingerprint: Scene.body(),
                    body: Scene.body(), submittedAt: Date()))
            try await scene.work()
            #expect(try await scene.standing(of: id) == .queued)
        }
    }
}

extension Array {
    fileprivate func asyncMap<Value>(_ transform: (Element) async throws -> Value) async rethrows -> [Value] {
        var values: [Value] = []
        for element in self { values.append(try await transform(element)) }
        return values
    }
}
