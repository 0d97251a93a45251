import Accounting
import Foundation
import Ledger
import Postgres
import TestDatabase
import Testing

@Suite(.books) struct `Accepting a task` {
    @Test func `books one task for each of the provider's, whatever answer comes to the wrong request`() async throws {
        let ledger = try await Ledger.sample()
        let (first, second) = (try await ledger.hold(), try await ledger.hold())
        #expect(try await ledger.accept(first, as: "p-1") == .accepted)
        #expect(try await ledger.accept(second, as: "p-1") == .providerTaskOfAnother)
        #expect(try await ledger.accept(second, as: "p-2") == .accepted)
        #expect(try await TestDatabase.current.number("SELECT count(*) FROM acceptance") == 2)
    }

    @Test func `books one task for each of the provider's in one group`() async throws {
        let ledger = try await Ledger.sample()
        var tasks: [TaskID] = []
        for _ in 0..<20 { tasks.append(try await ledger.hold()) }
        let outcomes = try await withThrowingTaskGroup { group in
            for task in tasks { group.addTask { try await ledger.accept(task, as: "p-1") } }
            return try await group.reduce(into: [AcceptanceOutcome]()) { $0.append($1) }
        }
        #expect(outcomes.count { $0 == .accepted } == 1)
        #expect(outcomes.count { $0 == .providerTaskOfAnother } == 19)
        #expect(try await ledger.balance.held == .credits(20 * 42))
    }

    @Test func `keeps its hold at the price`() async throws {
        let ledger = try await Ledger.sample(reading: 1000)
        let task = try await ledger.hold()
        #expect(try await ledger.accept(task) == .accepted)
        #expect(try await ledger.balance.held == .credits(42))
        #expect(try await ledger.balance.available == .credits(958))
        #expect(try await ledger.task(task)?.summary.state == "accepted")
        #expect(try await ledger.task(task)?.summary.providerTaskID == "p-\(task)")
    }

    @Test(arguments: [0, 10, 41, 43, 500]) func `binds its hold to what the provider took`(taken: Int64) async throws {
        let ledger = try await Ledger.sample(month: 100, reading: 1000)
        let task = try await ledger.hold()
        #expect(try await ledger.accept(task, reserved: taken) == .accepted)
        #expect(try await ledger.balance.held == .credits(taken))
        #expect(try await ledger.balance.reserved == .credits(taken))
        #expect(try await ledger.balance.available == .credits(1000 - taken))
        #expect(try await ledger.use().held == .credits(taken))
        let isAdmitted = try await ledger.reserve(.sample()).reservation != nil
        #expect(isAdmitted == (100 - taken >= 42))
    }

    @Test func `keeps its hold where the provider names no amount`() async throws {
        let ledger = try await Ledger.sample()
        #expect(try await ledger.accept(ledger.hold(), reserved: nil) == .accepted)
        #expect(try await ledger.balance.held == .credits(42))
    }

    @Test func `shows to the next admission what the wallet has left`() async throws {
        let ledger = try await Ledger.sample(reading: 100)
        try await ledger.accept(ledger.hold(), reserved: 90)
        let reason = try #require(await ledger.refusal().reasons.first)
        #expect((reason.ceiling, reason.remaining, reason.held) == (.wallet, .credits(10), .credits(90)))
    }

    @Test func `may leave the wallet with less than nothing, and then nothing is given`() async throws {
        let ledger = try await Ledger.sample(reading: 100)
        try await ledger.accept(ledger.hold(), reserved: 130)
        #expect(try await ledger.balance.available == .credits(-30))
        #expect(try await ledger.refusal().reasons.first?.remaining == .zero)
    }

    @Test func `happens once`() async throws {
        let ledger = try await Ledger.sample()
        let task = try await ledger.running()
        #expect(try await ledger.accept(task, reserved: 60) == .alreadyAccepted)
        #expect(try await ledger.balance.held == .credits(42))
    }

    @Test func `is noticed when the provider calls the task by another id`() async throws {
        let ledger = try await Ledger.sample()
        let task = try await ledger.running()
        #expect(try await ledger.accept(task, as: "p-other") == .otherProviderTask)
        #expect(try await ledger.task(task)?.summary.providerTaskID == "p-\(task)")
    }

    @Test func `happens once within one group, and another id is noticed there too`() async throws {
        let ledger = try await Ledger.sample()
        let task = try await ledger.hold()
        let outcomes = try await ledger.accept([.sample(of: task), .sample(of: task), .sample(of: task, as: "p-other")])
        #expect(outcomes == [.accepted, .alreadyAccepted, .otherProviderTask])
    }

    @Test func `is unknown for a task that is not in the books`() async throws {
        let ledger = try await Ledger.sample()
        #expect(try await ledger.accept(.make(at: .sample)) == .unknownTask)
        #expect(try await ledger.accept(ledger.refusalID()) == .unknownTask)
    }

    @Test func `is unknown for a task of another wallet`() async throws {
        let other = try await Ledger.sample(timeZone: "Europe/Berlin")
        let task = try await Ledger.sample().hold()
        #expect(try await other.accept(task) == .unknownTask)
    }

    @Test func `ends the lease under which it was sent`() async throws {
        let ledger = try await Ledger.sample()
        let task = try await ledger.hold()
        let token = try await ledger.lease(task).leaseToken
        try await ledger.accept(task)
        #expect(try await ledger.settle(task, token, .rejected, charged: 0) == .fenced)
        #expect(try await ledger.lease(task).leaseToken > token)
    }

    @Test func `is booked whoever brings it`() async throws {
        let ledger = try await Ledger.sample()
        let task = try await ledger.hold()
        _ = try await ledger.lease(task)
        _ = try await ledger.lease(task)
        #expect(try await ledger.other().accept(task) == .accepted)
    }
}

extension Acceptance {
    static func sample(of task: TaskID, as provider: String? = nil, reserved: Int64 = 42) -> Acceptance {
        Acceptance(
            taskID: task, providerTaskID: provider ?? "p-\(task)", reserved: .credits(reserved), acceptedAt: .sample,
            pollAt: .sample)
    }
}

extension Ledger {
    /// The id of a request that was refused.
    fileprivate func refusalID() async throws -> TaskID {
        try await setBudget(of: "alpha", .day, to: .zero, at: .sample)
        return try await refusal().taskID
    }
}
