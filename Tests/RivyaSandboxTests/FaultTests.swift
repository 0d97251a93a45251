import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import Testing

@testable import RivyaSandbox

@Suite(.timeLimit(.minutes(10))) struct `A fault` {
    @Test(arguments: [
        (Fault.serverError, 500, "internal_error"), (.apiDisabled, 503, "public_api_disabled"),
        (.rateLimited, 429, "rate_limited"), (.rateLimitedRetryAfter, 429, "rate_limited"),
    ])
    func `before anything happens leaves no task`(fault: Fault, status: Int, code: String) async throws {
        try await withSandbox { sandbox, caller async throws in
            await sandbox.failNext(fault)
            let reply = try await caller.create(idempotencyKey: "a")
            #expect(reply.status == status)
            #expect(reply.errorCode == code)
            #expect(reply.headers["retry-after"] == (fault == .rateLimitedRetryAfter ? "1" : nil))
            #expect(await sandbox.books.report().tasks.isEmpty)
            #expect(try await caller.create(idempotencyKey: "a").status == 200)
        }
    }

    @Test func `after the task is made hides it behind a gateway's page`() async throws {
        try await withSandbox { sandbox, caller async throws in
            await sandbox.failNext(.serverErrorAfter)
            let reply = try await caller.create(idempotencyKey: "a")
            #expect(reply.status == 502)
            #expect(reply.json == .null)
            let made = await sandbox.books.report().tasks.map(\.id)
            #expect(made == [try await caller.create(idempotencyKey: "a").id])
            #expect(try await caller.balance() == 9958)
        }
    }

    @Test(arguments: [Fault.cut, .cutMidway])
    func `that cuts the connection leaves a task whose key finds it`(fault: Fault) async throws {
        try await withSandbox { sandbox, caller async throws in
            await sandbox.failNext(fault, times: 2)
            for _ in 0..<2 {
                await #expect(throws: (any Error).self) { try await caller.create(idempotencyKey: "a") }
            }
            #expect(try await caller.create(idempotencyKey: "a").status == 200)
            #expect(await sandbox.books.report().tasks.map(\.createRequests) == [3])
        }
    }

    @Test func `of cutting midway lets the head of the answer through`() async throws {
        try await withSandbox { sandbox, caller async throws in
            await sandbox.failNext(.cutMidway, on: .credits)
            var request = HTTPClientRequest(url: caller.baseURL + "/api/v1/credits")
            request.headers.add(name: "Authorization", value: "Bearer rvya_sk_sandbox")
            let response = try await HTTPClient.shared.execute(request, timeout: .seconds(30))
            #expect(response.status == .ok)
            await #expect(throws: (any Error).self) { _ = try await response.body.collect(upTo: 1000) }
        }
    }

    @Test func `of broken JSON comes under a success status`() async throws {
        try await withSandbox { sandbox, caller async throws in
            await sandbox.failNext(.brokenJSON)
            let reply = try await caller.create(idempotencyKey: "a")
            #expect(reply.status == 200)
            #expect(reply.text.hasPrefix(#"{"id":"#))
            #expect(reply.json == .null)
        }
    }

    @Test func `of unknown fields adds to the known ones`() async throws {
        try await withSandbox { sandbox, caller async throws in
            let id = try await caller.create().id
            try await sandbox.finish(id, .succeeded)
            await sandbox.failNext(.unknownFields, on: .status)
            let task = try await caller.status(id).json
            #expect(task["id"]?.string == id)
            #expect(task["provider_notes"] != nil)
            #expect(task["result"]?["primary_url"] != nil)
            #expect(task["result"]?["thumbnail_url"] != nil)
        }
    }

    @Test func `of missing final credits takes the field away for one answer`() async throws {
        try await withSandbox { sandbox, caller async throws in
            let id = try await caller.create().id
            try await sandbox.finish(id, .succeeded)
            await sandbox.failNext(.missingFinalCredits, on: .status)
            #expect(try await caller.status(id).json["final_credits"] == nil)
            #expect(try await caller.status(id).json["final_credits"] == 42)
        }
    }

    @Test func `of failing with a charge keeps some of the credits`() async throws {
        let clock = StandingClock()
        let settings = SandboxSettings(faults: Faults([.failedWithCharge: 1]))
        try await withSandbox(settings, clock: clock) { _, caller async throws in
            let id = try await caller.create().id
            clock.advance(seconds: 2)
            let task = try await caller.status(id).json
            #expect(task["status"] == "failed")
            #expect(task["final_credits"] == 10)
            #expect(try await caller.balance() == 9990)
        }
    }

    @Test func `of price reserves another amount than the list says`() async throws {
        try await withSandbox { sandbox, caller async throws in
            await sandbox.failNext(.priceDifference)
            #expect(try await caller.create().json["reserved_credits"] == 45)
            #expect(try await caller.create().json["reserved_credits"] == 42)
        }
    }

    @Test func `of slowness still gives the right answer`() async throws {
        var settings = SandboxSettings()
        settings.faults[.slow] = 1
        settings.faults.slowSeconds = 0.01
        try await withSandbox(settings) { _, caller async throws in
            #expect(try await caller.create().status == 200)
        }
    }

    @Test(arguments: SandboxEndpoint.allCases)
    func `hits the endpoint it was ordered for`(endpoint: SandboxEndpoint) async throws {
        try await withSandbox { sandbox, caller async throws in
            await sandbox.failNext(.serverError, on: endpoint)
            let replies: [(SandboxEndpoint, Int)] = [
                (.create, try await caller.create().status), (.status, try await caller.status("a").status),
                (.credits, try await caller.send(.GET, "/api/v1/credits").status),
                (.upload, try await caller.upload([0xFF, 0xD8, 0xFF], kind: "image").status),
                (.file, try await caller.send(.GET, "/api/v1/files/a").status),
            ]
            #expect(replies.filter { $0.1 == 500 }.map(\.0) == [endpoint])
        }
    }

    @Test func `falls on the same requests with the same seed, and on others with another`() async throws {
        func statuses(seed: Int) async throws -> [Int] {
            let faults = Faults([.serverError: 0.3, .rateLimited: 0.2], seed: seed)
            var settings = SandboxSettings(faults: faults)
            settings.failureShare = 0.5
            settings.secondsToFinishSpread = 2
            let clock = StandingClock()
            return try await withSandbox(settings, clock: clock) { _, caller async throws in
                var statuses: [Int] = []
                for _ in 0..<60 {
                    let reply = try await caller.create()
                    statuses.append(reply.status)
                    clock.advance(seconds: 2)
                    if reply.status == 200 { statuses.append(try await caller.status(reply.id).text.count) }
                }
                return statuses
            }
        }
        let first = try await statuses(seed: 1)
        #expect(first == (try await statuses(seed: 1)))
        #expect(first != (try await statuses(seed: 2)))
        #expect(Set(first).isSuperset(of: [200, 500, 429]))
    }

    @Test func `hits about its share of the requests, whatever the other shares`() {
        func hits(_ faults: Faults) -> [Int] {
            var plan = FaultPlan()
            return (0..<10_000).filter { _ in plan.next(.create, faults).contains(.cut) }
        }
        let alone = hits(Faults([.cut: 0.1]))
        #expect((900...1100).contains(alone.count))
        #expect(alone == hits(Faults([.cut: 0.1, .slow: 0.7, .serverError: 0.2])))
        #expect(hits(Faults([.cut: 1])).count == 10_000)
        #expect(hits(Faults([.cut: 0])).isEmpty)
    }
}
