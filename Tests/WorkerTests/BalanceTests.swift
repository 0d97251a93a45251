import Accounting
import Foundation
import Ledger
import RivyaSandbox
import TestDatabase
import Testing

@testable import Worker

@Suite(.books, .timeLimit(.minutes(10))) struct `The balance` {
    @Test func `is read by itself at first, which opens the gate`() async throws {
        try await withScene(hasReading: false) { scene async throws in
            await #expect(throws: Scene.NotAdmitted.self) { try await scene.submit() }
            try await scene.withWorker { _ in
                try await scene.until("the balance is read") { try await scene.balance().reading != nil }
                let id = try await scene.submit()
                try await scene.until("it is charged") { try await scene.standing(of: id) == .succeeded }
            }
            #expect(try await scene.balance().gate == nil)
        }
    }

    @Test func `is read again and again, and Studio's spending is found`() async throws {
        try await withScene { scene async throws in
            try await scene.withWorker(.quick { $0.readingInterval = .milliseconds(30) }) { _ in
                try await scene.until("it was read three times") {
                    try await scene.number("SELECT count(*) AS number FROM wallet_reading") >= 4
                }
                try await scene.sandbox.spendInStudio(500)
                try await scene.until("Studio's spending is found") {
                    try await scene.balance().unattributed == .credits(500)
                }
                #expect(try await scene.balance().reading == .credits(99_500))
                try await scene.sandbox.spendInStudio(-2000)
                try await scene.until("the top-up is found") {
                    try await scene.balance().unattributed == .credits(-1500)
                }
            }
        }
    }

    @Test func `is read once by several workers in one interval`() async throws {
        try await withScene(hasReading: false) { scene async throws in
            try await scene.withWorker { _ in
                try await scene.until("the first has read it") { try await scene.balance().reading != nil }
                try await scene.withWorker { _ in
                    let id = try await scene.submit()
                    try await scene.until("it is charged") { try await scene.standing(of: id) == .succeeded }
                }
            }
            #expect(await scene.sandbox.books.report().requests["credits"] == 1)
        }
    }

    @Test func `that cannot be read is an error in the books, and is tried again`() async throws {
        try await withScene(hasReading: false) { scene async throws in
            await scene.sandbox.failNext(.serverError, on: .credits)
            try await scene.withWorker(.quick { $0.readingInterval = .milliseconds(50) }) { _ in
                try await scene.until("it is read") { try await scene.balance().reading != nil }
            }
            #expect(try await scene.errors() == ["credits internal_error"])
        }
    }
}

@Suite(.books, .timeLimit(.minutes(10))) struct `A guard miss` {
    /// A wallet that Studio has emptied since its last reading.
    private func withEmptyWallet(
        _ shows: SandboxSettings.InsufficientCredits, _ body: (Scene) async throws -> Void
    ) async throws {
        var settings = SandboxSettings.quick
        settings.insufficientCredits = shows
        try await withScene(settings) { scene async throws in
            try await scene.sandbox.spendInStudio(99_990)
            try await body(scene)
        }
    }

    @Test(arguments: [
        (SandboxSettings.InsufficientCredits.error, "create insufficient_credits", "rejected"),
        (.failedTask, "task insufficient_credits", "failed"),
    ])
    func `closes the gate, and the balance is read at once`(
        shows: SandboxSettings.InsufficientCredits, error: String, state: String
    ) async throws {
        try await withEmptyWallet(shows) { scene async throws in
            let id = try await scene.submit()
            try await scene.withWorker { _ in
                try await scene.until("the balance is read") { try await scene.balance().reading == .credits(10) }
            }
            #expect(try await scene.standing(of: id).state == state)
            #expect(try await scene.standing(of: id).held == 0)
            #expect(try await scene.errors() == [error])
            #expect(try await scene.balance().guardMisses == 1)
            #expect(try await scene.balance().gate == .guardMiss)
            let refused = await #expect(throws: Scene.NotAdmitted.self) { try await scene.submit() }
            guard case .refused(let refusal) = refused?.outcome else { return }
            #expect(refusal.reasons.map(\.ceiling) == [.walletGate])
        }
    }

    @Test func `is over when a later reading shows enough`() async throws {
        try await withEmptyWallet(.error) { scene async throws in
            try await scene.submit()
            try await scene.withWorker(.quick { $0.readingInterval = .milliseconds(50) }) { _ in
                try await scene.until("the gate is closed") { try await scene.balance().gate == .guardMiss }
                try await scene.sandbox.spendInStudio(-1000)
                try await scene.until("the gate is open") { try await scene.balance().gate == nil }
                let id = try await scene.submit()
                try await scene.until("it is charged") { try await scene.standing(of: id) == .succeeded }
            }
        }
    }

    @Test func `has its reading taken even if the provider fails at that moment`() async throws {
        try await withEmptyWallet(.error) { scene async throws in
            try await scene.submit()
            await scene.sandbox.failNext(.serverError, on: .credits)
            try await scene.withWorker { _ in
                try await scene.until("the balance is read") { try await scene.balance().reading == .credits(10) }
            }
            #expect(try await scene.errors() == ["create insufficient_credits", "credits internal_error"])
        }
    }
}
