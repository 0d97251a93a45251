import Accounting
import Foundation
import Ledger
import RivyaSandbox
import Synchronization
import TestDatabase
import Testing

@testable import Worker

@Suite(.books, .timeLimit(.minutes(10))) struct `Workers whose clocks are wrong` {
    /// A lease is a minute here, so that each of these is beyond one.
    @Test(arguments: [.seconds(300), .seconds(4 * 3600), .seconds(3 * 86_400), .seconds(31 * 86_400)] as [Duration])
    func `share 100 tasks, and none is sent twice or stalls`(ahead: Duration) async throws {
        var settings = SandboxSettings.quick
        settings.faults = Faults([.rateLimited: 0.1], seed: 1)
        try await withScene(settings) { scene async throws in
            try await scene.submit(count: 100)
            let start = ContinuousClock.now
            try await withThrowingTaskGroup(of: Void.self) { workers in
                for clock in [JumpingClock(ahead), JumpingClock(.zero - ahead)] {
                    workers.addTask { try await scene.work(.quick { $0.lease = .seconds(60) }, clock: clock.read) }
                }
                try await workers.waitForAll()
            }
            #expect(ContinuousClock.now - start < .seconds(240))
            #expect(try await scene.standings() == Array(repeating: .succeeded, count: 100))
            // A refused request took nothing and made no task; what was taken was asked for once.
            let provider = await scene.sandbox.books.report()
            #expect(provider.tasks.map(\.createRequests) == Array(repeating: 1, count: 100))
            #expect(Set(try await scene.errors()).isSubset(of: ["create rate_limited", "status rate_limited"]))
            #expect(try await scene.number("SELECT count(*) AS number FROM task_work") == 0)
        }
    }

    @Test(arguments: [.seconds(86_400), .seconds(-86_400)] as [Duration])
    func `do not lose a task to each other when a clock jumps while the provider answers`(jump: Duration) async throws {
        let clock = JumpingClock()
        try await withScene { scene async throws in
            let id = try await scene.submit()
            await scene.sandbox.holdCreateAnswers()
            // It is extended every four seconds; a busy machine may stand still for eight before the lease ends.
            let settings = WorkerSettings.quick { $0.lease = .seconds(12) }
            let leaseEnd =
                "SELECT extract(epoch FROM due_at)::bigint AS number FROM task_work WHERE state = 'sending' AND leased"
            func waitForExtension() async throws {
                let end = try await scene.number(leaseEnd)
                try await scene.until("the lease is extended") { try await scene.number(leaseEnd) > end }
            }
            try await scene.withWorker(settings, clock: clock.read) { _ in
                await scene.sandbox.waitForHeldCreates(count: 1)
                clock.jump(jump)
                try await waitForExtension()
                // This one looks for work at once.
                try await scene.withWorker(settings) { _ in
                    try await waitForExtension()
                    let ahead = try await scene.number(
                        """
                        SELECT extract(milliseconds FROM due_at - clock_timestamp())::bigint AS number FROM task_work
                        WHERE state = 'sending' AND leased
                        """)
                    #expect((1...12_050).contains(ahead))
                    await scene.sandbox.releaseCreateAnswers()
                    try await scene.until("it is charged") { try await scene.standing(of: id) == .succeeded }
                }
            }
            #expect(await scene.sandbox.books.report().tasks.map(\.createRequests) == [1])
        }
    }

    @Test func `read the balance as often as if they were right`() async throws {
        let clock = JumpingClock(.seconds(31 * 86_400))
        try await withScene(hasReading: false) { scene async throws in
            try await scene.withWorker(clock: clock.read) { _ in
                try await scene.until("it is read") { try await scene.balance().reading != nil }
            }
            try await scene.withWorker(.quick { $0.readingInterval = .milliseconds(100) }) { _ in
                try await scene.until("the other reads it as well") {
                    try await scene.number("SELECT count(*) AS number FROM wallet_reading") >= 3
                }
            }
        }
    }
}

/// A clock that is ahead of the machine's, or behind it, and can be put forward and back.
final class JumpingClock: Sendable {
    private let ahead: Mutex<Double>

    init(_ ahead: Duration = .zero) { self.ahead = Mutex(ahead / .seconds(1)) }

    @Sendable func read() -> Date { Date() + ahead.withLock(\.self) }

    func jump(_ duration: Duration) { ahead.withLock { $0 += duration / .seconds(1) } }
}
