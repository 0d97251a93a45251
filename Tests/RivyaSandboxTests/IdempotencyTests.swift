import Testing

@testable import RivyaSandbox

@Suite(.timeLimit(.minutes(10))) struct `An idempotency key` {
    @Test func `makes one task for fifty requests at once`() async throws {
        try await withSandbox { sandbox, caller async throws in
            let ids = try await withThrowingTaskGroup(of: String.self) { group in
                for _ in 0..<50 { group.addTask { try await caller.create(idempotencyKey: "once").id } }
                return try await group.reduce(into: Set<String>()) { $0.insert($1) }
            }
            #expect(ids.count == 1)
            #expect(try await caller.balance() == 9958)
            let report = await sandbox.books.report()
            #expect(report.tasks.map(\.createRequests) == [50])
            #expect(report.tasks.map(\.idempotencyKey) == ["once"])
        }
    }

    @Test func `finds the task of a request still in flight`() async throws {
        try await withSandbox { sandbox, caller async throws in
            await sandbox.holdCreateAnswers()
            async let first = caller.create(idempotencyKey: "a")
            async let second = caller.create(idempotencyKey: "a")
            await sandbox.waitForHeldCreates(count: 2)
            await sandbox.releaseCreateAnswers()
            #expect(try await first.id == second.id)
            #expect(await sandbox.books.report().tasks.map(\.createRequests) == [2])
        }
    }

    @Test func `answers again with the task's present state`() async throws {
        let clock = StandingClock()
        try await withSandbox(clock: clock) { _, caller async throws in
            let first = try await caller.create(idempotencyKey: "again")
            clock.advance(seconds: 10)
            let again = try await caller.create(idempotencyKey: "again")
            #expect(again.status == first.status)
            #expect(again.id == first.id)
            #expect(again.json["status"] == "succeeded")
        }
    }

    @Test func `conflicts with another body`() async throws {
        try await withSandbox { sandbox, caller async throws in
            _ = try await caller.create(idempotencyKey: "one")
            let reply = try await caller.create(SandboxCaller.prompt + " ", idempotencyKey: "one")
            #expect(reply.status == 409)
            #expect(reply.errorCode == "idempotency_conflict")
            #expect(await sandbox.books.report().totals.idempotencyConflicts == 1)
            #expect(try await caller.balance() == 9958)
        }
    }

    @Test func `belongs to its account`() async throws {
        var settings = SandboxSettings()
        settings.accounts["other"] = .init(key: "rvya_sk_other", openingCredits: 42)
        try await withSandbox(settings) { sandbox, caller async throws in
            var other = caller
            other.key = "rvya_sk_other"
            let ids = [try await caller.create(idempotencyKey: "a").id, try await other.create(idempotencyKey: "a").id]
            #expect(Set(ids).count == 2)
            #expect(await sandbox.books.report().tasks.map(\.account) == ["default", "other"])
            #expect(try await other.balance() == 0)
        }
    }

    @Test func `may be missing, and each request makes a task`() async throws {
        try await withSandbox { _, caller async throws in
            let ids = [try await caller.create().id, try await caller.create().id]
            #expect(Set(ids).count == 2)
        }
    }
}
