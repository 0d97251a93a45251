import Foundation
import NIOHTTP1
import Testing

@testable import RivyaSandbox

@Suite(.timeLimit(.minutes(10))) struct `The sandbox's books` {
    @Test func `take credits at submission and give back what a failure does not cost`() async throws {
        try await withSandbox { sandbox, caller async throws in
            let id = try await caller.create().id
            #expect(try await caller.balance() == 9958)
            try await sandbox.finish(id, .failed, finalCredits: 2)
            #expect(try await caller.balance() == 9998)
            let totals = await sandbox.books.report().totals
            #expect(totals.takenCredits == 42)
            #expect(totals.givenBackCredits == 40)
            #expect(totals.chargedCredits == 2)
            #expect(totals.heldCredits == 0)
            #expect(totals.isBalanced)
        }
    }

    @Test func `give back without anybody asking for the task`() async throws {
        var settings = SandboxSettings()
        settings.failureShare = 1
        let clock = StandingClock()
        try await withSandbox(settings, clock: clock) { _, caller async throws in
            _ = try await caller.create()
            clock.advance(seconds: 2)
            #expect(try await caller.balance() == 10_000)
        }
    }

    @Test func `answer with an error when the wallet is too short, to the credit`() async throws {
        var settings = SandboxSettings(openingCredits: 83)
        settings.insufficientCreditsStatus = 403
        try await withSandbox(settings) { sandbox, caller async throws in
            #expect(try await caller.create().status == 200)
            let reply = try await caller.create(idempotencyKey: "short")
            #expect(reply.status == 403)
            #expect(reply.errorCode == "insufficient_credits")
            try await sandbox.spendInStudio(-1)
            #expect(try await caller.create(idempotencyKey: "short").status == 200)
            #expect(try await caller.balance() == 0)
            #expect(await sandbox.books.report().totals.insufficientAnswers == 1)
        }
    }

    @Test func `may show a short wallet as a task that has failed already`() async throws {
        var settings = SandboxSettings(openingCredits: 41)
        settings.insufficientCredits = .failedTask
        try await withSandbox(settings) { sandbox, caller async throws in
            let reply = try await caller.create()
            #expect(reply.status == 200)
            #expect(reply.json["status"] == "failed")
            #expect(reply.json["error"]?["code"] == "insufficient_credits")
            let totals = await sandbox.books.report().totals
            #expect(totals.currentCredits == 41)
            #expect(totals.isBalanced)
        }
    }

    @Test func `show a client's key, trace id and body digest`() async throws {
        try await withSandbox { sandbox, caller async throws in
            let body = #"{"model":"z-image","prompt":"abc","client_request_id":"trace-1"}"#
            let id = try await caller.create(body, idempotencyKey: "key-1").id
            let expected = BooksReport.TaskLine(
                id: id, account: "default", idempotencyKey: "key-1",
                requestSHA256: "032997534107c4a06e78f927cf89819a1bc42ed2a28210859238c89dd89a65be", model: "z-image",
                clientRequestID: "trace-1", status: .queued, reservedCredits: 1, finalCredits: 0,
                createdAt: "2026-05-11T00:00:00.000Z", updatedAt: "2026-05-11T00:00:00.000Z", createRequests: 1)
            #expect(await sandbox.books.report().tasks == [expected])
        }
    }

    @Test func `are the same over HTTP, without a key`() async throws {
        try await withSandbox { sandbox, caller async throws in
            _ = try await caller.create()
            var anyone = caller
            anyone.key = nil
            let text = try await anyone.send(.GET, "/books").text
            let report = try JSONDecoder().decode(BooksReport.self, from: Data(text.utf8))
            #expect(report == (await sandbox.books.report()))
            #expect(report.tasks.count == 1)
            #expect(report.requests == ["create": 1])
            let short = try await anyone.send(.GET, "/books?tasks=false").text
            #expect(try JSONDecoder().decode(BooksReport.self, from: Data(short.utf8)).tasks.isEmpty)
        }
    }

    @Test func `let Studio spend by the minute, down to nothing and not below`() async throws {
        var settings = SandboxSettings(openingCredits: 100)
        settings.accounts["default"]?.studioCreditsPerMinute = 30
        let clock = StandingClock()
        try await withSandbox(settings, clock: clock) { sandbox, caller async throws in
            clock.advance(seconds: 61)
            #expect(try await caller.balance() == 70)
            clock.advance(seconds: 1)
            #expect(try await caller.balance() == 69)
            clock.advance(seconds: 3600)
            #expect(try await caller.balance() == 0)
            #expect(await sandbox.books.report().totals.studioSpentCredits == 100)
        }
    }

    @Test func `stay balanced through two thousand random acts`() async throws {
        var settings = SandboxSettings(openingCredits: 20_000)
        settings.secondsToFinishSpread = 1.5
        settings.failureShare = 0.3
        settings.accounts["default"]?.studioCreditsPerMinute = 60
        settings.faults = Faults([.failedWithCharge: 0.2, .priceDifference: 0.2], seed: 7)
        let clock = StandingClock()
        let books = try SandboxBooks(settings: settings, clock: clock.read)
        var random = SplitMix64(state: 42)
        var ids: [String] = []
        for _ in 0..<2000 {
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<5:
                let key = "key-\(Int.random(in: 0..<800, using: &random))"
                let duration = Bool.random(using: &random) ? "5" : "10"
                let body = #"{"model":"kling-v2-5-turbo-pro","prompt":"a","params":{"duration":"\#(duration)"}}"#
                let request = try GenerationRequest(body: Array(body.utf8), idempotencyKey: key)
                if let task = try? await books.submit(request, faults: [], wallet: 0), let id = task["id"]?.string {
                    ids.append(id)
                }
            case 5..<7: clock.advance(seconds: Double.random(in: 0..<0.5, using: &random))
            case 7:
                guard let id = ids.randomElement(using: &random) else { continue }
                let credits = Int.random(in: 0..<100, using: &random)
                let outcome: TaskOutcome = Bool.random(using: &random) ? .succeeded : .failed
                try? await books.finish(id, outcome, finalCredits: credits)
            case 8: try await books.spendInStudio(Int.random(in: -300..<250, using: &random))
            default: _ = await books.balance(wallet: 0)
            }
            #expect(await books.report(includingTasks: false).totals.isBalanced)
        }
        clock.advance(seconds: 10)
        let report = await books.report()
        #expect(report.totals.heldCredits == 0)
        #expect(report.totals.currentCredits >= 0)
        #expect(report.tasks.count > 300)
        #expect(report.tasks.reduce(0) { $0 + $1.finalCredits } == report.totals.chargedCredits)
        #expect(report.tasks.allSatisfy { $0.status == .succeeded || $0.status == .failed })
    }

    @Test func `end tasks in the order of their time`() {
        var due = DueTasks()
        var random = SplitMix64(state: 5)
        let seconds = (0..<500).map { _ in Double.random(in: 0..<100, using: &random) }
        for (task, second) in seconds.enumerated() { due.insert(task, at: Date(timeIntervalSince1970: second)) }
        var ended: [Double] = []
        while let task = due.next(until: Date(timeIntervalSince1970: 50)) { ended.append(seconds[task]) }
        #expect(ended == seconds.filter { $0 <= 50 }.sorted())
    }
}
