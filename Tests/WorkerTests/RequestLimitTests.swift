import Accounting
import RivyaSandbox
import TestDatabase
import Testing

@testable import Worker

/// Counted by the provider: how many requests it had at one moment.
@Suite(.books, .timeLimit(.minutes(10))) struct `Requests at once` {
    @Test(arguments: [1, 4])
    func `are as many as configured and never more, with many more tasks to submit and to ask for`(
        limit: Int
    ) async throws {
        var settings = SandboxSettings.endless
        settings.faults = Faults([.slow: 1])
        settings.faults.slowSeconds = 0.01
        try await withScene(settings) { scene async throws in
            let accepted = "SELECT count(*) AS number FROM acceptance"
            try await scene.submit(count: 12)
            try await scene.withWorker(
                .quick {
                    $0.concurrency = limit
                    $0.lease = .seconds(3)
                }, timeout: .seconds(120)
            ) { _ in
                try await scene.until("all are accepted") { try await scene.number(accepted) == 12 }
                // Half of the tasks are asked for while the others are submitted.
                try await scene.submit(count: 12)
                try await scene.until("all are accepted") { try await scene.number(accepted) == 24 }
                try await scene.until("many were asked for") {
                    await scene.sandbox.books.report(includingTasks: false).requests["status", default: 0] >= 40
                }
                await scene.sandbox.holdCreateAnswers()
                try await scene.submit(count: 3 * limit)
                await scene.sandbox.waitForHeldCreates(count: limit)
                // All lanes are taken and everything is due; it has time to look, as its leases are extended meanwhile.
                try await scene.makeDue()
                let leaseEnd = "SELECT (extract(epoch FROM max(due_at)) * 1000)::bigint AS number FROM task_work"
                let end = try await scene.number(leaseEnd)
                try await scene.until("the leases were extended") { try await scene.number(leaseEnd) > end }
                await scene.sandbox.releaseCreateAnswers()
                try await scene.until("all are accepted") { try await scene.number(accepted) == 24 + 3 * Int64(limit) }
                for task in await scene.sandbox.books.report().tasks {
                    try await scene.sandbox.finish(task.id, .succeeded)
                }
                try await scene.until("all are charged") {
                    try await scene.number("SELECT count(*) AS number FROM task_work") == 0
                }
            }
            let report = await scene.sandbox.books.report(includingTasks: false)
            #expect(report.mostRequestsAtOnce == limit, "\(report.requests)")
        }
    }
}
