import Accounting
import Foundation
import Ledger
import Postgres
import TestDatabase
import Testing

@Suite(.books) struct `Settling a task` {
    @Test(arguments: [
        (Settlement.Outcome.succeeded, 42, 0), (.succeeded, 40, 2), (.succeeded, 0, 42), (.failed, 0, 42),
        (.failed, 10, 32),
        (.failed, 42, 0),
    ])
    func `charges what the provider says and releases the rest`(
        outcome: Settlement.Outcome, charged: Int64, released: Int64
    ) async throws {
        let ledger = try await Ledger.sample(month: 42)
        let task = try await ledger.running()
        #expect(try await ledger.end(task, outcome, charged: charged) == .settled)
        let balance = try await ledger.balance
        #expect((balance.reserved, balance.charged) == (.credits(42), .credits(charged)))
        #expect((balance.released, balance.held) == (.credits(released), .zero))
        #expect(try await ledger.use().charged == .credits(charged))
        #expect(try await ledger.use().remaining == .credits(released))
        #expect(try await ledger.task(task)?.summary.state == outcome.rawValue)
    }

    @Test func `charges more than was held where the provider took more`() async throws {
        let ledger = try await Ledger.sample(month: 100, reading: 1000)
        let task = try await ledger.running()
        #expect(try await ledger.end(task, .succeeded, charged: 60) == .settled)
        let balance = try await ledger.balance
        #expect((balance.reserved, balance.charged, balance.released) == (.credits(60), .credits(60), .zero))
        #expect(balance.available == .credits(940))
        #expect(try await ledger.refusal().reasons.first?.remaining == .credits(40))
        #expect(
            try await TestDatabase.current.number("SELECT price_difference_credits FROM day_total") == 18)
    }

    @Test func `ends a hold that the provider had made larger`() async throws {
        let ledger = try await Ledger.sample()
        let task = try await ledger.hold()
        try await ledger.accept(task, reserved: 60)
        #expect(try await ledger.end(task, .succeeded, charged: 50) == .settled)
        let balance = try await ledger.balance
        #expect((balance.reserved, balance.charged, balance.released) == (.credits(60), .credits(50), .credits(10)))
        #expect(try await TestDatabase.current.number("SELECT price_difference_credits FROM day_total") == 8)
    }

    @Test(arguments: [(Settlement.Outcome.succeeded, 0, -42), (.succeeded, 42, 0), (.failed, 0, 0), (.failed, 10, -32)])
    func `records what differs from the price`(
        outcome: Settlement.Outcome, charged: Int64, difference: Int64
    ) async throws {
        let ledger = try await Ledger.sample()
        #expect(try await ledger.end(ledger.running(), outcome, charged: charged) == .settled)
        #expect(
            try await TestDatabase.current.number("SELECT price_difference_credits FROM day_total") == difference)
    }

    @Test func `releases all of a task that the provider rejected`() async throws {
        let ledger = try await Ledger.sample(month: 42, reading: 42)
        #expect(try await ledger.end(ledger.hold(), .rejected, charged: 0) == .settled)
        let balance = try await ledger.balance
        #expect((balance.charged, balance.released, balance.held) == (.zero, .credits(42), .zero))
        #expect(balance.available == .credits(42))
        try await ledger.hold()
    }

    @Test func `turns a rejection away once the provider has accepted`() async throws {
        let ledger = try await Ledger.sample()
        let task = try await ledger.running()
        #expect(try await ledger.end(task, .rejected, charged: 0) == .alreadyAccepted)
        #expect(try await ledger.balance.held == .credits(42))
        #expect(try await ledger.end(task, .succeeded, charged: 42) == .settled)
    }

    @Test func `turns a rejection away that comes after the end`() async throws {
        let ledger = try await Ledger.sample()
        let task = try await ledger.running()
        try await ledger.end(task, .failed, charged: 0, recheckAt: .sample)
        #expect(try await ledger.end(task, .rejected, charged: 0) == .alreadyAccepted)
        #expect(try await ledger.end(task, .failed, charged: 0) == .confirmed)
    }

    @Test func `happens once`() async throws {
        let ledger = try await Ledger.sample()
        let task = try await ledger.running()
        let token = try await ledger.lease(task).leaseToken
        #expect(try await ledger.settle(task, token, .succeeded, charged: 42) == .settled)
        #expect(try await ledger.settle(task, token, .succeeded, charged: 42) == .alreadySettled)
        #expect(try await ledger.settle(task, token + 1, .failed, charged: 0) == .alreadySettled)
        #expect(try await ledger.balance.charged == .credits(42))
    }

    @Test func `changes nothing under a lease that has moved on`() async throws {
        let ledger = try await Ledger.sample()
        let task = try await ledger.running()
        let old = try await ledger.lease(task).leaseToken
        let new = try await ledger.lease(task).leaseToken
        #expect(try await ledger.settle(task, old, .failed, charged: 0) == .fenced)
        #expect(try await ledger.balance.held == .credits(42))
        #expect(try await ledger.settle(task, new, .succeeded, charged: 42) == .settled)
    }

    @Test func `happens once within one group, and not for whom is fenced`() async throws {
        let ledger = try await Ledger.sample()
        let task = try await ledger.running()
        let old = try await ledger.lease(task).leaseToken
        let new = try await ledger.lease(task).leaseToken
        let outcomes = try await ledger.settle([
            .sample(of: task, old, .failed, charged: 0), .sample(of: task, new, .succeeded, charged: 42),
            .sample(of: task, new, .failed, charged: 0),
        ])
        #expect(outcomes == [.fenced, .settled, .alreadySettled])
        #expect(try await ledger.balance.charged == .credits(42))
    }

    @Test func `follows its acceptance within one group`() async throws {
        let ledger = try await Ledger.sample()
        let task = try await ledger.hold()
        let token = try await ledger.lease(task).leaseToken
        try await ledger.acceptAndSettle(.sample(of: task), .sample(of: task, token + 1, .succeeded, charged: 42))
        #expect(try await ledger.balance.held == .zero)
        #expect(try await ledger.balance.charged == .credits(42))
    }

    @Test func `is unknown for a task that is not in the books`() async throws {
        let ledger = try await Ledger.sample()
        #expect(try await ledger.settle(.make(at: .sample), 1, .failed, charged: 0) == .unknownTask)
        #expect(try await ledger.resolve(.make(at: .sample), charged: 0) == .unknownTask)
    }

    @Test func `keeps what the provider said`() async throws {
        let ledger = try await Ledger.sample()
        let task = try await ledger.running()
        let token = try await ledger.lease(task).leaseToken
        _ = try await ledger.settle(
            Settlement(
                taskID: task, leaseToken: token, outcome: .succeeded, charged: .credits(42),
                resultURLs: ["https://cdn.example/a.mp4"], settledAt: .sample))
        #expect(try await ledger.task(task)?.resultURLs == #"["https://cdn.example/a.mp4"]"#)
        #expect(try await ledger.task(task)?.events.map(\.event) == ["reserved", "accepted", "succeeded"])
    }
}

@Suite(.books) struct `Reading a failed task once more` {
    private func failed(charged: Int64 = 0) async throws -> (Ledger, TaskID) {
        let ledger = try await Ledger.sample(month: 100, reading: 1000)
        let task = try await ledger.running()
        #expect(try await ledger.end(task, .failed, charged: charged, recheckAt: .sample) == .settled)
        return (ledger, task)
    }

    @Test func `is still to be done by a worker, and holds nothing`() async throws {
        let (ledger, task) = try await failed()
        let lease = try await ledger.lease(task)
        #expect(lease.isSettled)
        #expect(lease.providerTaskID == "p-\(task)")
        #expect(lease.body == nil)
        #expect(try await !ledger.nextDue().isUnfinished)
        #expect(try await ledger.balance.held == .zero)
    }

    @Test func `confirms it, and is not done again`() async throws {
        let (ledger, task) = try await failed()
        #expect(try await ledger.end(task, .failed, charged: 0) == .confirmed)
        #expect(try await ledger.claim(upTo: 10, at: .late, leaseUntil: .late).isEmpty)
        #expect(try await ledger.settle(task, 9, .failed, charged: 0) == .alreadySettled)
        #expect(try await TestDatabase.current.number("SELECT count(*) FROM correction") == 0)
    }

    @Test(arguments: [42, 10, 60]) func `corrects it where credits were taken after all`(charged: Int64) async throws {
        let (ledger, task) = try await failed()
        #expect(try await ledger.end(task, .succeeded, charged: charged) == .corrected)
        let balance = try await ledger.balance
        #expect(balance.charged == .credits(charged))
        #expect(balance.released == .credits(max(42 - charged, 0)))
        #expect(balance.reserved == balance.charged + balance.released)
        #expect(try await ledger.use().remaining == .credits(100 - charged))
        #expect(try await ledger.task(task)?.events.last?.event == "corrected")
        #expect(try await ledger.task(task)?.summary.charged == .credits(charged))
    }

    @Test func `corrects it where credits came back after all`() async throws {
        let (ledger, task) = try await failed(charged: 42)
        #expect(try await ledger.end(task, .failed, charged: 0) == .corrected)
        let balance = try await ledger.balance
        #expect((balance.charged, balance.released) == (.zero, .credits(42)))
        #expect(try await ledger.use().charged == .zero)
    }

    @Test func `counts credits as gone that the last reading may not have seen leave`() async throws {
        let (ledger, task) = try await failed()
        try await ledger.read(1000)
        try await ledger.end(task, .succeeded, charged: 42)
        #expect(try await ledger.balance.available == .credits(958))
        #expect(try await ledger.read(958).unattributed == .zero)
        #expect(try await ledger.balance.available == .credits(958))
    }

    @Test func `is fenced like any other settlement`() async throws {
        let (ledger, task) = try await failed()
        let old = try await ledger.lease(task).leaseToken
        _ = try await ledger.lease(task)
        #expect(try await ledger.settle(task, old, .succeeded, charged: 42) == .fenced)
        #expect(try await ledger.balance.charged == .zero)
    }
}

extension Settlement {
    static func sample(of task: TaskID, _ token: Int64, _ outcome: Outcome, charged: Int64) -> Settlement {
        Settlement(taskID: task, leaseToken: token, outcome: outcome, charged: .credits(charged), settledAt: .sample)
    }
}
