import Accounting
import Foundation
import Ledger
import RivyaClient
import RivyaSandbox
import TestDatabase
import Testing

@testable import Worker

@Suite(.books, .timeLimit(.minutes(10))) struct `Sending a task` {
    @Test func `charges the 42 credits of its success`() async throws {
        try await withScene { scene async throws in
            let id = try await scene.submit()
            try await scene.work()
            #expect(try await scene.standing(of: id) == .succeeded)
            let results = try await scene.number("SELECT jsonb_array_length(result_urls) AS number FROM settlement")
            #expect(results == 1)
            #expect(await scene.sandbox.books.report().requests["create"] == 1)
            #expect(try await scene.errors() == [])
        }
    }

    @Test(arguments: [
        (Fault.apiDisabled, "public_api_disabled"), (.rateLimited, "rate_limited"), (.serverError, "internal_error"),
        (.serverErrorAfter, "unreadable_answer"), (.cut, "no_answer"), (.cutMidway, "unreadable_answer"),
        (.brokenJSON, "unreadable_answer"),
    ])
    func `sends the same bytes under the same key again after`(fault: Fault, code: String) async throws {
        try await withScene { scene async throws in
            await scene.sandbox.failNext(fault, times: 2)
            let id = try await scene.submit()
            try await scene.work()
            #expect(try await scene.standing(of: id) == .succeeded)
            let errors = try await scene.errors()
            #expect(errors == ["create \(code)", "create \(code)"])
            let provider = await scene.sandbox.books.report()
            #expect(provider.requests["create"] == 3)
            #expect(provider.tasks.map(\.idempotencyKey) == [id.description])
            #expect(provider.totals.idempotencyConflicts == 0)
        }
    }

    @Test func `does not take the answer to another task for its own`() async throws {
        try await withScene { scene async throws in
            let first = try await scene.submit()
            try await scene.work()
            await scene.sandbox.failNext(.answerOfAnother)
            let second = try await scene.submit()
            try await scene.work()
            #expect(try await scene.standing(of: first) == .succeeded)
            #expect(try await scene.standing(of: second) == .succeeded)
            #expect(try await scene.errors() == ["create unreadable_answer"])
            let provider = await scene.sandbox.books.report()
            #expect(provider.tasks.map(\.createRequests) == [1, 2])
        }
    }

    @Test func `waits at least as long as the provider asks`() async throws {
        try await withScene { scene async throws in
            await scene.sandbox.failNext(.rateLimitedRetryAfter)
            let id = try await scene.submit()
            try await scene.work()
            #expect(try await scene.standing(of: id) == .succeeded)
            let waited = try await scene.number(
                """
                SELECT extract(milliseconds FROM taken.recorded_at - error.occurred_at)::bigint AS number
                FROM acceptance taken JOIN recorded_error error USING (wallet_id, task_id)
                """)
            #expect(waited >= 1000)
        }
    }

    @Test func `finds its task again when the answer came too late`() async throws {
        var settings = SandboxSettings.quick
        settings.faults.slowSeconds = 6
        try await withScene(settings) { scene async throws in
            await scene.sandbox.failNext(.slow)
            let id = try await scene.submit()
            try await scene.work(timeout: .seconds(3))
            #expect(try await scene.standing(of: id) == .succeeded)
            #expect(try await scene.errors().first == "create timed_out")
            #expect(await scene.sandbox.books.report().tasks.count == 1)
        }
    }

    @Test(arguments: [200, 201, 202])
    func `takes any success with a task in it, and fields that nobody knows`(status: Int) async throws {
        var settings = SandboxSettings.quick
        settings.createdStatus = status
        settings.faults = Faults([.unknownFields: 1])
        try await withScene(settings) { scene async throws in
            let id = try await scene.submit()
            try await scene.work()
            #expect(try await scene.standing(of: id) == .succeeded)
            #expect(try await scene.errors() == [])
        }
    }

    @Test func `releases what the provider finds invalid, and does not send it again`() async throws {
        try await withScene { scene async throws in
            let id = try await scene.submit(Array(#"{"model":"kling-v2-5-turbo-pro"}"#.utf8))
            try await scene.work()
            #expect(try await scene.standing(of: id) == .rejected)
            #expect(try await scene.errors() == ["create validation_failed"])
            #expect(await scene.sandbox.books.report().requests["create"] == 1)
        }
    }

    @Test func `leaves a conflict over its key to a person, and never takes another key`() async throws {
        try await withScene { scene async throws in
            let id = try await scene.submit()
            let other = try await scene.withClient { client in
                try await client.createGeneration(body: Scene.body("Another boat."), idempotencyKey: id.description)
            }
            try await scene.work()
            #expect(try await scene.standing(of: id) == .unknown)
            #expect(try await scene.isForPerson(id))
            #expect(try await scene.errors() == ["create idempotency_conflict"])
            let provider = await scene.sandbox.books.report()
            #expect(provider.tasks.map(\.id) == [other.id])
            #expect(provider.requests["create"] == 2)
        }
    }
}

@Suite(.books, .timeLimit(.minutes(10))) struct `A task in doubt` {
    @Test func `keeps its hold when the provider refuses it later, and is charged once it is taken`() async throws {
        try await withScene { scene async throws in
            let id = try await scene.submit()
            try await scene.sandbox.spendInStudio(100_000)
            await scene.sandbox.failNext(.serverError)
            try await scene.withWorker { _ in
                try await scene.until("it is refused after the doubt") {
                    try await scene.errors().count(where: { $0 == "create insufficient_credits" }) >= 2
                }
                #expect(try await scene.standing(of: id).held == 42)
                try await scene.sandbox.spendInStudio(-1000)
                try await scene.until("it is charged") { try await scene.standing(of: id) == .succeeded }
            }
            #expect(try await scene.errors().first == "create internal_error")
            #expect(await scene.sandbox.books.report().tasks.count == 1)
        }
    }

    @Test func `waits for a person once the provider may have forgotten its key`() async throws {
        try await withScene(.endless) { scene async throws in
            let id = try await scene.submit()
            await scene.sandbox.failNext(.cut)
            try await scene.work(.quick { $0.resendWindow = .zero })
            #expect(try await scene.standing(of: id) == .unknown)
            #expect(try await scene.isForPerson(id))
            #expect(await scene.sandbox.books.report().requests["create"] == 1)
        }
    }

    @Test func `is charged by the person who looked it up`() async throws {
        try await withScene { scene async throws in
            let id = try await scene.submit()
            await scene.sandbox.failNext(.cut)
            try await scene.work(.quick { $0.resendWindow = .zero })
            let now = Date()
            let outcome = try await scene.ledger.settle(
                Settlement(
                    resolving: id, charged: .credits(42), by: "ada", reason: "seen in Studio", at: now, recheckAt: now))
            #expect(outcome == .settled)
            try await scene.work()
            #expect(try await scene.standing(of: id) == .succeeded)
        }
    }

    @Test func `is resent for its whole window, however long it was refused before`() async throws {
        try await withScene { scene async throws in
            let id = try await scene.submit()
            // Six requests surely take nothing, a second apart.
            for _ in 1...6 { await scene.sandbox.failNext(.rateLimitedRetryAfter) }
            await scene.sandbox.failNext(.cut)
            try await scene.withWorker(.quick { $0.resendWindow = .seconds(5) }) { _ in
                try await scene.until("it is charged") { try await scene.standing(of: id) == .succeeded }
            }
            #expect(
                try await scene.errors() == Array(repeating: "create rate_limited", count: 6) + ["create no_answer"])
        }
    }
}
