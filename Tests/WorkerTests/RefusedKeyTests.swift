import Accounting
import Foundation
import Ledger
import RivyaClient
import RivyaSandbox
import TestDatabase
import Testing

@testable import Worker

@Suite(.books, .timeLimit(.minutes(10))) struct `A refused API key` {
    @Test(arguments: [
        (SandboxSettings.KeyState.revoked, "api_key_revoked"), (.expired, "api_key_expired"),
    ])
    func `stops a worker that has an end, and every task stays queued and out of doubt`(
        state: SandboxSettings.KeyState, code: String
    ) async throws {
        var settings = SandboxSettings.quick
        settings.faults.slowSeconds = 0.5
        try await withScene(settings) { scene async throws in
            try await scene.submit(count: 12)
            try await scene.setKey(state)
            // This one is still under way when the others are refused.
            await scene.sandbox.failNext(.slow)
            let error = await #expect(throws: WorkerError.self) { try await scene.work() }
            guard case .keyRefused(let refusal, "RIVYA_API_KEY") = error else {
                Issue.record("the worker stopped with another error: \(String(describing: error))")
                return
            }
            #expect(refusal.code == code)
            #expect(try await scene.standings() == Array(repeating: .queued, count: 12))
            #expect(try await scene.number("SELECT count(*) AS number FROM task_work WHERE in_doubt OR leased") == 0)
            #expect(Set(try await scene.errors()) == ["create \(code)"])
            try await scene.setKey(.active)
            try await scene.work()
            #expect(try await scene.standings() == Array(repeating: .succeeded, count: 12))
        }
    }

    @Test func `is not tried for each waiting task, and does not keep the worker from shutting down`() async throws {
        let settings = WorkerSettings.quick {
            $0.concurrency = 2
            $0.retry.maximumDelay = .seconds(3600)
        }
        try await withScene { scene async throws in
            try await scene.submit(count: 10)
            try await scene.setKey(.revoked)
            try await scene.withWorker(settings) { _ in
                try await scene.until("two are refused") { try await scene.errors().count == 2 }
            }
            #expect(await scene.sandbox.books.report().requests["create"] == 2)
            #expect(try await scene.standings() == Array(repeating: .queued, count: 10))
        }
    }

    @Test func `is tried again by a worker without an end, and a task that runs keeps its hold`() async throws {
        try await withScene(.endless) { scene async throws in
            let id = try await scene.submit()
            try await scene.withWorker { _ in
                try await scene.until("it is accepted") { try await scene.standing(of: id).state == "accepted" }
                try await scene.setKey(.revoked)
                try await scene.sandbox.finish(try await scene.providerTaskID(of: id), .succeeded)
                try await scene.until("the key is refused twice") { try await scene.errors().count >= 2 }
                #expect(try await scene.standing(of: id) == .accepted)
                try await scene.setKey(.active)
                try await scene.until("it is charged") { try await scene.standing(of: id) == .succeeded }
            }
            #expect(Set(try await scene.errors()) == ["status api_key_revoked"])
        }
    }

    @Test func `that lacks the scope is one too`() async throws {
        try await withScene { scene async throws in
            let id = try await scene.submit()
            try await scene.sandbox.books.change { $0.accounts["default"]?.deniedScopes = ["generations:create"] }
            await #expect(throws: WorkerError.self) { try await scene.work() }
            #expect(try await scene.standing(of: id) == .queued)
            #expect(try await scene.errors() == ["create api_scope_denied"])
        }
    }
}

extension Scene {
    fileprivate func setKey(_ state: SandboxSettings.KeyState) async throws {
        try await sandbox.books.change { $0.accounts["default"]?.keys[SandboxSettings.defaultKey] = state }
    }
}
