import Accounting
import Foundation
import Ledger
import Postgres
import Reporting
import TestDatabase
import Testing

@Suite(.books) struct `Leasing a task` {
    private let end = Date.sample + 8

    @Test func `marks it as being sent, and hands out the bytes to send`() async throws {
        let ledger = try await Ledger.sample()
        let task = try await ledger.hold(.sample(body: #"{"prompt":"a boat"}"#))
        let leased = try #require(await ledger.claim(upTo: 10, at: .sample, leaseUntil: end).first)
        #expect(leased.id == task)
        #expect(leased.body == Array(#"{"prompt":"a boat"}"#.utf8))
        #expect((leased.attempts, leased.polls, leased.isInDoubt) == (1, 0, false))
        #expect(leased.firstSentAt == .sample)
        #expect(leased.providerTaskID == nil && leased.acceptedAt == nil && !leased.isSettled)
        #expect(try await ledger.task(task)?.summary.state == "sending")
    }

    @Test func `takes no more than asked for, those due longest first`() async throws {
        let ledger = try await Ledger.sample()
        let later = try await ledger.hold(.sample(at: .sample))
        let first = try await ledger.hold(.sample(at: .sample))
        let second = try await ledger.hold(.sample(at: .sample))
        let held = try await ledger.claim(upTo: 3, at: .sample, leaseUntil: .late)
        #expect(held.map(\.id) == [later, first, second])
        try await ledger.schedule(
            zip(held, [2, 0, 1]).map {
                Schedule(taskID: $0.id, leaseToken: $0.leaseToken, state: .queued, dueAt: .sample + $1)
            })
        let leased = try await ledger.claim(upTo: 2, at: .sample + 5, leaseUntil: .late)
        #expect(Set(leased.map(\.id)) == [first, second])
        #expect(try await ledger.claim(upTo: 2, at: .sample + 5, leaseUntil: .late).map(\.id) == [later])
    }

    @Test func `begins with whoever waits longest, taken before or not`() async throws {
        let ledger = try await Ledger.sample()
        let before = try await ledger.hold(.sample(at: .sample))
        let token = try await ledger.lease(before).leaseToken
        try await ledger.schedule([Schedule(taskID: before, leaseToken: token, state: .queued, dueAt: .sample + 3)])
        let first = try await ledger.hold(.sample(at: .sample + 2))
        let last = try await ledger.hold(.sample(at: .sample + 4))
        for next in [first, before, last] {
            #expect(try await ledger.claim(upTo: 1, at: .sample + 5, leaseUntil: .late).map(\.id) == [next])
        }
    }

    @Test func `takes what was reserved together in its order, and leaves the rest to others`() async throws {
        let ledger = try await Ledger.sample()
        let held = try await ledger.decide((0..<250).map { _ in .sample() }).compactMap(\.reservation?.taskID)
        #expect(held.count == 250)
        let first = try await ledger.claim(upTo: 130, at: .sample, leaseUntil: .late)
        #expect(first.map(\.id) == Array(held[..<130]))
        #expect(first.allSatisfy { $0.body != nil && $0.leaseToken == 1 && $0.attempts == 1 })
        #expect(try await ledger.task(held[129])?.summary.state == "sending")
        #expect(try await ledger.task(held[130])?.summary.state == "queued")
        #expect(try await ledger.task(held[130])?.dueAt == .sample)
        #expect(try await ledger.nextDue().isUnfinished)
        #expect(
            try await ledger.other().claim(upTo: 1000, at: .sample, leaseUntil: .late).map(\.id) == Array(held[130...]))
        #expect(try await TestDatabase.current.number("SELECT count(*) FROM queued_group") == 0)
    }

    @Test func `does not find what a person has ended before anyone took it`() async throws {
        let ledger = try await Ledger.sample()
        let held = try await ledger.decide((0..<3).map { _ in .sample() }).compactMap(\.reservation?.taskID)
        #expect(try await ledger.resolve(held[1], charged: 0) == .settled)
        #expect(try await ledger.claim(upTo: 10, at: .sample, leaseUntil: .late).map(\.id) == [held[0], held[2]])
        #expect(try await ledger.balance.held == .credits(84))
    }

    @Test func `does not find what the provider took before anyone did, and finds what it did not`() async throws {
        let ledger = try await Ledger.sample()
        let held = try await ledger.decide((0..<6).map { _ in .sample() }).compactMap(\.reservation?.taskID)
        // One has a row in the queue, the others wait in the group; the provider's task of the first is given twice.
        #expect(try await ledger.claim(upTo: 1, at: .sample, leaseUntil: .late).map(\.id) == [held[0]])
        let outcomes = try await ledger.accept([
            .sample(of: held[3], as: "p-3"), .sample(of: held[0], as: "p-0"), .sample(of: held[4], as: "p-0"),
            .sample(of: held[1], as: "p-1"), .sample(of: held[1], as: "p-1"), .sample(of: held[2], as: "p-2"),
        ])
        #expect(
            outcomes == [.accepted, .accepted, .providerTaskOfAnother, .accepted, .alreadyAccepted, .accepted])
        for task in held[..<4] { #expect(try await ledger.task(task)?.summary.state == "accepted") }
        for task in held[4...] { #expect(try await ledger.task(task)?.summary.state == "queued") }
        #expect(try await ledger.settle(held[2], 1, .succeeded, charged: 42) == .settled)
        let due = try await ledger.claim(upTo: 10, at: .sample, leaseUntil: .late).filter { $0.providerTaskID == nil }
        #expect(Set(due.map(\.id)) == Set(held[4...]))
        #expect(due.allSatisfy { $0.leaseToken == 1 && $0.attempts == 1 && $0.body != nil })
        #expect(try await Verification.run(on: TestDatabase.current.pool(maximumConnections: 1)) == [])
    }

    @Test func `finds what somebody tried to end under a lease that nobody has`() async throws {
        let ledger = try await Ledger.sample()
        let held = try await ledger.decide((0..<4).map { _ in .sample() }).compactMap(\.reservation?.taskID)
        #expect(try await ledger.resolve(held[3], charged: 0) == .settled)
        let outcomes = try await ledger.settle([
            .sample(of: held[3], 0, .succeeded, charged: 42), .sample(of: .make(at: .sample), 0, .failed, charged: 0),
            .sample(of: held[2], 7, .succeeded, charged: 42), .sample(of: held[1], 7, .succeeded, charged: 42),
            .sample(of: held[1], 0, .rejected, charged: 0), .sample(of: held[2], 8, .failed, charged: 0),
        ])
        #expect(outcomes == [.alreadySettled, .unknownTask, .fenced, .fenced, .settled, .fenced])
        #expect(try await ledger.task(held[2])?.dueAt == .sample)
        let due = try await ledger.claim(upTo: 10, at: .sample, leaseUntil: .late)
        #expect(Set(due.map(\.id)) == [held[0], held[2]])
        #expect(try await ledger.balance.held == .credits(2 * 42))
        #expect(try await Verification.run(on: TestDatabase.current.pool(maximumConnections: 1)) == [])
    }

    @Test func `takes nothing that is not due`() async throws {
        let ledger = try await Ledger.sample()
        try await ledger.hold(.sample(at: .sample + 1))
        #expect(try await ledger.claim(upTo: 10, at: .sample, leaseUntil: end).isEmpty)
        #expect(try await ledger.nextDue().dueAt == .sample + 1)
        #expect(try await ledger.nextDue().isUnfinished)
    }

    @Test func `leaves out what waits for its references`() async throws {
        let ledger = try await Ledger.sample()
        let task = try await ledger.hold(.sample(body: nil))
        #expect(try await ledger.claim(upTo: 10, at: .late, leaseUntil: .late).isEmpty)
        #expect(try await !ledger.nextDue().isUnfinished)
        #expect(try await ledger.store(request: Array("{}".utf8), of: task, at: .sample))
        #expect(try await !ledger.store(request: Array("[]".utf8), of: task, at: .sample))
        #expect(try await ledger.lease(task).body == Array("{}".utf8))
    }

    @Test func `is not completed while a person ends it`() async throws {
        let ledger = try await Ledger.sample()
        let task = try await ledger.hold(.sample(body: nil))
        let ending = Statement(
            """
            SELECT FROM settle(\(ledger.wallet.id), ARRAY['\(task)'::uuid], '{NULL}', '{failed}', '{0}', '{NULL}', ARRAY[NULL::jsonb],
                '{mara}', '{given up}', ARRAY[now()], '{NULL}')
            """)
        #expect(
            try await behind(ending) { try await ledger.store(request: Array("{}".utf8), of: task, at: .sample) }
                == false)
        #expect(try await ledger.balance.held == .zero)
        #expect(try await ledger.claim(upTo: 10, at: .late, leaseUntil: .late).isEmpty)
    }

    @Test func `gives each to one of two workers at once`() async throws {
        let ledger = try await Ledger.sample()
        _ = try await ledger.decide((0..<200).map { _ in .sample() })
        let workers = [ledger, ledger.other(), ledger.other()]
        let leased = try await withThrowingTaskGroup { group in
            for worker in workers {
                group.addTask {
                    var mine: [TaskID] = []
                    while case let batch = try await worker.claim(upTo: 7, at: .sample, leaseUntil: .late),
                        !batch.isEmpty
                    {
                        mine += batch.map(\.id)
                    }
                    return mine
                }
            }
            return try await group.reduce(into: [TaskID]()) { $0 += $1 }
        }
        // One that another worker was taking at the time is not taken: the last to look may have left some.
        let rest = try await ledger.claim(upTo: 1000, at: .sample, leaseUntil: .late).map(\.id)
        #expect(leased.count + rest.count == 200)
        #expect(Set(leased + rest).count == 200)
    }

    @Test func `passes over what another is taking`() async throws {
        let ledger = try await Ledger.sample()
        try await ledger.hold(.sample(at: .sample))
        let free = try await ledger.hold(.sample(at: .sample + 1))
        let leased = try await TestDatabase.current.pool().withConnection { (other) throws(PostgresError) in
            try await other.execute("BEGIN")
            try await other.execute("SELECT FROM queued_group ORDER BY last_entry_number LIMIT 1 FOR UPDATE")
            return try? await ledger.claim(upTo: 10, at: .late, leaseUntil: .late)
        }
        #expect(leased?.map(\.id) == [free])
    }

    @Test func `is not extended, and not waited for, while another writes the task`() async throws {
        let ledger = try await Ledger.sample()
        let task = try await ledger.hold()
        let token = try await ledger.lease(task).leaseToken
        let held = try await TestDatabase.current.pool().withConnection { (other) throws(PostgresError) in
            try await other.execute("BEGIN")
            try await other.execute("SELECT FROM task_work FOR UPDATE")
            return try? await ledger.extend([task: token], until: .late)
        }
        #expect(held == [])
        #expect(try await ledger.extend([task: token], until: .late) == [task])
    }

    @Test func `keeps it from others until the lease ends, and then leaves the doubt whether it was sent`() async throws
    {
        let ledger = try await Ledger.sample()
        let task = try await ledger.hold()
        let first = try #require(await ledger.claim(upTo: 1, at: .sample, leaseUntil: end).first)
        #expect(try await ledger.other().claim(upTo: 1, at: end - 0.001, leaseUntil: .late).isEmpty)
        let second = try #require(await ledger.other().claim(upTo: 1, at: end, leaseUntil: .late).first)
        #expect(second.id == task)
        #expect(second.leaseToken > first.leaseToken)
        #expect(second.isInDoubt)
        #expect(second.attempts == 2)
        #expect(second.body == first.body)
        #expect(second.firstSentAt == first.firstSentAt)
    }

    @Test func `leaves no doubt about one that was given back unsent`() async throws {
        let ledger = try await Ledger.sample()
        let task = try await ledger.hold()
        let token = try await ledger.lease(task).leaseToken
        try await ledger.schedule([Schedule(taskID: task, leaseToken: token, state: .queued, dueAt: .sample)])
        #expect(try await !ledger.lease(task).isInDoubt)
    }

    @Test func `leaves the doubt about one that was given back as unknown, whatever comes later`() async throws {
        let ledger = try await Ledger.sample()
        let task = try await ledger.hold()
        for state in [Schedule.State.unknown, .queued] {
            let token = try await ledger.lease(task).leaseToken
            try await ledger.schedule([Schedule(taskID: task, leaseToken: token, state: state, dueAt: .sample)])
        }
        #expect(try await ledger.lease(task).isInDoubt)
    }

    @Test func `counts the status requests that were answered`() async throws {
        let ledger = try await Ledger.sample()
        let task = try await ledger.running()
        for polled in [true, false, true] {
            let token = try await ledger.lease(task).leaseToken
            try await ledger.schedule([
                Schedule(taskID: task, leaseToken: token, state: .accepted, dueAt: .sample, polled: polled)
            ])
        }
        let leased = try await ledger.lease(task)
        #expect((leased.polls, leased.attempts) == (2, 0))
        #expect(leased.providerTaskID == "p-\(task)")
        #expect(leased.body == nil)
    }

    @Test func `changes nothing for a worker whose lease has gone to another`() async throws {
        let ledger = try await Ledger.sample()
        let task = try await ledger.hold()
        let old = try await ledger.lease(task).leaseToken
        let new = try await ledger.lease(task).leaseToken
        try await ledger.schedule([Schedule(taskID: task, leaseToken: old, state: .queued, dueAt: .sample)])
        #expect(try await ledger.task(task)?.summary.state == "sending")
        #expect(try await ledger.extend([task: old], until: .late) == [])
        #expect(try await ledger.extend([task: new], until: .late) == [task])
    }

    @Test func `is extended while a worker has the task in hand`() async throws {
        let ledger = try await Ledger.sample()
        let task = try await ledger.hold()
        let token = try #require(await ledger.claim(upTo: 1, at: .sample, leaseUntil: end).first).leaseToken
        #expect(try await ledger.extend([task: token], until: end + 8) == [task])
        #expect(try await ledger.claim(upTo: 1, at: end, leaseUntil: .late).isEmpty)
        #expect(try await ledger.claim(upTo: 1, at: end + 8, leaseUntil: .late).count == 1)
    }

    @Test func `is not extended once the task was given back`() async throws {
        let ledger = try await Ledger.sample()
        let task = try await ledger.hold()
        let token = try await ledger.lease(task).leaseToken
        try await ledger.schedule([Schedule(taskID: task, leaseToken: token, state: .queued, dueAt: .sample)])
        #expect(try await ledger.extend([task: token], until: .late) == [])
    }

    @Test func `does not end where a person has to look`() async throws {
        let ledger = try await Ledger.sample()
        let task = try await ledger.hold()
        let token = try await ledger.lease(task).leaseToken
        try await ledger.schedule([Schedule(taskID: task, leaseToken: token, state: .unknown, dueAt: nil)])
        #expect(try await ledger.claim(upTo: 1, at: .late, leaseUntil: .late).isEmpty)
        #expect(try await ledger.progress(of: [task]).first?.needsPerson == true)
        #expect(try await !ledger.nextDue().isUnfinished)
        #expect(try await ledger.balance.held == .credits(42))
    }
}
