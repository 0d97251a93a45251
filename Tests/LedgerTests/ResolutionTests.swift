import Accounting
import Foundation
import Ledger
import Postgres
import Reporting
import TestDatabase
import Testing

@Suite(.books) struct `A person's word on a task` {
    /// Every word in the books, in order.
    private func events(_ ledger: Ledger, _ task: TaskID) async throws -> [String] {
        try #require(await ledger.task(task)).events.map(\.event)
    }

    @Test func `releases its hold`() async throws {
        let ledger = try await Ledger.sample(month: 42)
        let task = try await ledger.hold()
        #expect(try await ledger.resolve(task, charged: 0) == .settled)
        #expect(try await ledger.balance.released == .credits(42))
        #expect(try await ledger.task(task)?.summary.state == "failed")
        #expect(try await ledger.task(task)?.events.last?.detail == "0 charged, 42 released, by mara: asked support")
        try await ledger.hold()
    }

    @Test func `waits for a worker that is taking it for the first time, and leaves it to that one`() async throws {
        let ledger = try await Ledger.sample()
        let task = try await ledger.hold()
        let claim = Statement(
            "SELECT FROM claim(\(ledger.wallet.id), now(), 1, now() + interval '1 minute', '{}')")
        #expect(try await behind(claim) { try await ledger.resolve(task, charged: 0) } == .beingSent)
        #expect(try await ledger.balance.held == .credits(42))
    }

    @Test func `charges it`() async throws {
        let ledger = try await Ledger.sample(month: 42, reading: 1000)
        let task = try await ledger.hold()
        #expect(try await ledger.resolve(task, charged: 40) == .settled)
        #expect(try await ledger.balance.charged == .credits(40))
        #expect(try await ledger.task(task)?.summary.state == "succeeded")
        #expect(try await ledger.balance.available == .credits(960))
        #expect(try await ledger.read(960).unattributed == .zero)
    }

    @Test func `is given once`() async throws {
        let ledger = try await Ledger.sample()
        let task = try await ledger.running()
        #expect(try await ledger.resolve(task, charged: 0) == .settled)
        #expect(try await ledger.resolve(task, charged: 42) == .alreadySettled)
        #expect(try await ledger.balance.charged == .zero)
    }

    @Test func `is not taken while a worker sends the task, whatever the person's clock says`() async throws {
        let ledger = try await Ledger.sample()
        let task = try await ledger.hold()
        let leased = try await ledger.claim(upTo: 1, at: .late, leaseUntil: .late)
        #expect(leased.map(\.id) == [task])
        #expect(try await ledger.resolve(task, charged: 0, at: .late + 7) == .beingSent)
        #expect(try await ledger.balance.held == .credits(42))
        #expect(try await ledger.extend([task: leased[0].leaseToken], until: .sample) == [task])
        #expect(try await ledger.resolve(task, charged: 0, at: .sample - 7) == .settled)
    }

    @Test func `is taken while a worker asks how an accepted task stands, which then changes nothing`() async throws {
        let ledger = try await Ledger.sample()
        let task = try await ledger.running()
        let token = try await ledger.lease(task).leaseToken
        #expect(try await ledger.resolve(task, charged: 0) == .settled)
        #expect(try await ledger.settle(task, token, .succeeded, charged: 42) == .fenced)
        #expect(try await ledger.end(task, .succeeded, charged: 42) == .corrected)
    }

    @Test func `ends a task that waits for its references`() async throws {
        let ledger = try await Ledger.sample()
        let task = try await ledger.hold(.sample(body: nil))
        #expect(try await ledger.resolve(task, charged: 0) == .settled)
        #expect(try await !ledger.store(request: [123, 125], of: task, at: .sample))
        #expect(try await ledger.claim(upTo: 10, at: .late, leaseUntil: .late).isEmpty)
    }

    @Test func `is corrected when the provider says that a released task succeeded`() async throws {
        let ledger = try await Ledger.sample(month: 100, reading: 1000)
        let task = try await ledger.running()
        try await ledger.resolve(task, charged: 0)
        #expect(try await ledger.use().charged == .zero)
        #expect(try await ledger.end(task, .succeeded, charged: 42) == .corrected)
        let balance = try await ledger.balance
        #expect((balance.reserved, balance.charged, balance.released) == (.credits(42), .credits(42), .zero))
        #expect(try await ledger.use().charged == .credits(42))
        #expect(try await events(ledger, task) == ["reserved", "accepted", "failed", "corrected"])
        #expect(try await ledger.read(958).unattributed == .zero)
    }

    @Test func `is confirmed when the provider agrees`() async throws {
        let ledger = try await Ledger.sample()
        let task = try await ledger.running()
        try await ledger.resolve(task, charged: 42)
        #expect(try await ledger.end(task, .succeeded, charged: 42) == .confirmed)
        #expect(try await events(ledger, task) == ["reserved", "accepted", "succeeded"])
    }

    @Test func `is followed up when the provider accepts the task only after a release, and it succeeds`() async throws
    {
        let ledger = try await Ledger.sample(reading: 1000)
        let task = try await ledger.hold()
        try await ledger.resolve(task, charged: 0)
        #expect(try await ledger.accept(task) == .accepted)
        #expect(try await ledger.balance.held == .zero)
        #expect(try await ledger.balance.available == .credits(958))
        #expect(try await ledger.end(task, .succeeded, charged: 42) == .corrected)
        #expect(try await ledger.balance.charged == .credits(42))
        #expect(try await events(ledger, task) == ["reserved", "failed", "accepted", "corrected"])
        #expect(try await ledger.read(958).unattributed == .zero)
    }

    @Test(arguments: [0, 10]) func `is followed up when a task that was accepted after a release fails`(charged: Int64)
        async throws
    {
        let ledger = try await Ledger.sample(reading: 1000)
        let task = try await ledger.hold()
        try await ledger.resolve(task, charged: 0)
        try await ledger.accept(task)
        #expect(try await ledger.end(task, .failed, charged: charged) == (charged == 0 ? .confirmed : .corrected))
        #expect(try await ledger.balance.charged == .credits(charged))
        #expect(try await ledger.read(1000 - charged).unattributed == .zero)
        #expect(try await ledger.claim(upTo: 10, at: .late, leaseUntil: .late).isEmpty)
    }

    @Test(arguments: [0, 42, 50]) func `is followed up when a task is accepted after a charge`(charged: Int64)
        async throws
    {
        let ledger = try await Ledger.sample(reading: 1000)
        let task = try await ledger.hold()
        try await ledger.resolve(task, charged: 42)
        try await ledger.accept(task)
        #expect(try await ledger.balance.available == .credits(958))
        #expect(
            try await ledger.end(task, charged == 0 ? .failed : .succeeded, charged: charged)
                == (charged == 42 ? .confirmed : .corrected))
        #expect(try await ledger.balance.charged == .credits(charged))
        #expect(try await ledger.read(1000 - charged).unattributed == .zero)
    }

    @Test func `leaves a late acceptance a lease beyond all that the task has had`() async throws {
        let ledger = try await Ledger.sample()
        let task = try await ledger.hold()
        let token = try await ledger.lease(task).leaseToken
        try await ledger.resolve(task, charged: 0, at: .late)
        try await ledger.accept(task)
        #expect(try await ledger.lease(task).leaseToken > token)
        #expect(try await ledger.settle(task, token, .failed, charged: 0) == .fenced)
    }

    @Test func `keeps what a late acceptance took, where the provider then denies the task`() async throws {
        let ledger = try await Ledger.sample(reading: 1000)
        let task = try await ledger.hold()
        try await ledger.resolve(task, charged: 0)
        try await ledger.accept(task)
        let token = try await ledger.lease(task).leaseToken
        try await ledger.schedule([Schedule(taskID: task, leaseToken: token, state: .settled, dueAt: nil)])
        #expect(try await ledger.balance.available == .credits(958))
        #expect(try await ledger.claim(upTo: 10, at: .late, leaseUntil: .late).isEmpty)
        #expect(try await Verification.run(on: TestDatabase.current.pool(maximumConnections: 1)) == [])
    }
}
