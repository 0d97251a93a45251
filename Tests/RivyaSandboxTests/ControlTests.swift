import Logging
import NIOHTTP1
import ServiceLifecycle
import Testing

@testable import RivyaSandbox

@Suite(.timeLimit(.minutes(10))) struct `Controlling the sandbox` {
    @Test func `holds create answers back while the tasks are made`() async throws {
        try await withSandbox { sandbox, caller async throws in
            await sandbox.holdCreateAnswers()
            async let first = caller.create(idempotencyKey: "a")
            async let second = caller.create(idempotencyKey: "b")
            await sandbox.waitForHeldCreates(count: 2)
            #expect(try await caller.balance() == 9916)
            #expect(await sandbox.books.report().tasks.count == 2)
            await sandbox.releaseCreateAnswers()
            #expect(try await [first.status, second.status] == [200, 200])
            #expect(try await caller.create().status == 200)
        }
    }

    @Test func `forgets a held answer whose client goes`() async throws {
        try await withSandbox { sandbox, caller async throws in
            await sandbox.holdCreateAnswers()
            await withTaskGroup(of: Void.self) { group in
                group.addTask { _ = try? await caller.create(idempotencyKey: "a") }
                await sandbox.waitForHeldCreates(count: 1)
                group.cancelAll()
            }
            while try await caller.control(.GET, "/sandbox/held").json["held"] != 0 { await Task.yield() }
            await sandbox.releaseCreateAnswers()
            #expect(try await caller.create(idempotencyKey: "a").status == 200)
            #expect(await sandbox.books.report().tasks.map(\.createRequests) == [2])
        }
    }

    @Test(arguments: [(30, 9970), (42, 9958), (50, 9950), (0, 10_000)])
    func `changes what an ended task costs`(credits: Int, balance: Int) async throws {
        try await withSandbox { sandbox, caller async throws in
            let id = try await caller.create().id
            await #expect(throws: SandboxError.notFinished(id)) { try await sandbox.revise(id, finalCredits: 1) }
            try await sandbox.finish(id, .failed, finalCredits: 10)
            let path = "/sandbox/tasks/\(id)/revise"
            #expect(try await caller.control(.POST, path, #"{"final_credits":\#(credits)}"#).status == 200)
            #expect(try await caller.control(.POST, path, #"{"final_credits":-1}"#).status == 400)
            #expect(try await caller.control(.POST, path).status == 400)
            #expect(try await caller.status(id).json["final_credits"] == .integer(credits))
            #expect(try await caller.status(id).json["status"] == "failed")
            #expect(try await caller.balance() == balance)
            #expect(await sandbox.books.report().totals.isBalanced)
        }
    }

    @Test func `works over HTTP as in process`() async throws {
        try await withSandbox { sandbox, caller async throws in
            let holding = try await caller.control(.POST, "/sandbox/hold", #"{"creates":true}"#)
            #expect(holding.json["holding"] == .bool(true))
            async let held = caller.create()
            await sandbox.waitForHeldCreates(count: 1)
            #expect(try await caller.control(.POST, "/sandbox/release").json["holding"] == .bool(false))
            let id = try await held.id
            let path = "/sandbox/tasks/\(id)/finish"
            let finish = try await caller.control(.POST, path, #"{"status":"succeeded","final_credits":40}"#)
            #expect(finish.status == 200)
            #expect(try await caller.status(id).json["final_credits"] == 40)
            #expect(try await caller.control(.POST, path, #"{"status":"failed"}"#).status == 400)
            let studio = try await caller.control(.POST, "/sandbox/studio", #"{"credits":60}"#)
            #expect(studio.json["current_credits"] == 9900)
            let topUp = try await caller.control(.POST, "/sandbox/studio", #"{"credits":-100}"#)
            #expect(topUp.json["current_credits"] == 10_000)
            let order = #"{"fault":"server_error","times":1,"on":"status"}"#
            let next = try await caller.control(.POST, "/sandbox/next", order)
            #expect(next.status == 200)
            #expect(try await caller.status(id).status == 500)
            #expect(await sandbox.books.report().totals.isBalanced)
        }
    }

    @Test func `refuses what makes no sense, saying why`() async throws {
        try await withSandbox { _, caller async throws in
            let bad = [
                ("/sandbox/next", #"{"fault":"fire"}"#), ("/sandbox/next", #"{"fault":"cut","on":"lunch"}"#),
                ("/sandbox/studio", "{}"), ("/sandbox/studio", #"{"credits":1,"account":"nobody"}"#),
                ("/sandbox/studio", #"{"credits":-9223372036854775808}"#),
                ("/sandbox/tasks/nothing/finish", #"{"status":"failed"}"#), ("/sandbox/tasks/nothing/finish", "{"),
            ]
            for (path, body) in bad {
                let reply = try await caller.control(.POST, path, body)
                #expect(reply.status == 400)
                #expect(reply.json["error"]?["message"]?.string?.isEmpty == false)
            }
        }
    }

    @Test func `never takes more for a task than the wallet has`() async throws {
        try await withSandbox(SandboxSettings(openingCredits: 50)) { sandbox, caller async throws in
            let id = try await caller.create().id
            await #expect(throws: SandboxError.invalidCredits("the wallet has only 8 more")) {
                try await sandbox.finish(id, .succeeded, finalCredits: 51)
            }
            try await sandbox.finish(id, .succeeded, finalCredits: 50)
            #expect(try await caller.balance() == 0)
            await #expect(throws: SandboxError.alreadyFinished(id)) { try await sandbox.finish(id, .failed) }
            #expect(await sandbox.books.report().totals.isBalanced)
        }
    }

    @Test func `changes settings while it runs`() async throws {
        try await withSandbox { sandbox, caller async throws in
            let patch = #"{"seconds_to_finish":0,"faults":{"shares":{"price_difference":1}},"credits":{"z-image":2}}"#
            #expect(try await caller.control(.PATCH, "/sandbox/settings", patch).status == 200)
            let task = try await caller.create(#"{"model":"z-image","prompt":"a"}"#).json
            #expect(task["status"] == "succeeded")
            #expect(task["reserved_credits"] == 5)
            let revoke = #"{"accounts":{"default":{"keys":{"rvya_sk_sandbox":"revoked","rvya_sk_new":"active"}}}}"#
            #expect(try await caller.control(.PATCH, "/sandbox/settings", revoke).status == 200)
            #expect(try await caller.create().errorCode == "api_key_revoked")
            var renewed = caller
            renewed.key = "rvya_sk_new"
            #expect(try await renewed.balance() == 9995)
            #expect(await sandbox.books.settings.secondsToFinish == 0)
        }
    }

    @Test(arguments: [
        "[]", "{", #"{"second_to_finish":1}"#, #"{"seconds_to_finish":"1"}"#, #"{"seconds_to_finish":-1}"#,
        #"{"failure_share":1.5}"#, #"{"faults":{"shares":{"cut":2}}}"#, #"{"faults":{"shares":{"fire":1}}}"#,
        #"{"faults":{"sead":1}}"#, #"{"accounts":{"default":{"opening_credits":1}}}"#,
        #"{"accounts":{"new":{"keys":{}}}}"#, #"{"created_status":500}"#, #"{"rate_limit_per_second":0}"#,
        #"{"accounts":{"new":{"keys":{"rvya_sk_sandbox":"active"},"opening_credits":1}}}"#,
    ])
    func `refuses settings it cannot run with and keeps the old ones`(patch: String) async throws {
        try await withSandbox { sandbox, caller async throws in
            let reply = try await caller.control(.PATCH, "/sandbox/settings", patch)
            #expect(reply.status == 400)
            #expect(reply.json["error"]?["message"]?.string?.isEmpty == false)
            #expect(await sandbox.books.settings == SandboxSettings())
        }
    }

    @Test func `takes an optional setting away with null`() throws {
        var settings = SandboxSettings()
        settings.rateLimitPerSecond = 5
        #expect(try settings.patched(with: #"{"rate_limit_per_second":null}"#) == SandboxSettings())
    }

    @Test func `says so when its port is in use`() async throws {
        try await withSandbox { sandbox, _ async throws in
            let port = try await sandbox.waitForPort()
            let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
            let second = try RivyaSandbox(port: port, logger: logger)
            await #expect(throws: SandboxError.portInUse(port)) { try await second.run() }
            await #expect(throws: SandboxError.portInUse(port)) { try await second.waitForPort() }
        }
    }

    @Test func `shuts down gracefully, letting held answers go`() async throws {
        let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        let sandbox = try RivyaSandbox(logger: logger)
        let service = ServiceGroup(services: [sandbox], logger: logger)
        async let running: Void = service.run()
        let caller = SandboxCaller(baseURL: "http://127.0.0.1:\(try await sandbox.waitForPort())")
        await sandbox.holdCreateAnswers()
        async let held = caller.create()
        await sandbox.waitForHeldCreates(count: 1)
        await service.triggerGracefulShutdown()
        #expect(try await held.status == 200)
        try await running
    }
}
