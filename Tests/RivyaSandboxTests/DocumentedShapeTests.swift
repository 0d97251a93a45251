import NIOHTTP1
import Testing

@testable import RivyaSandbox

@Suite(.timeLimit(.minutes(10))) struct `The documented endpoints` {
    @Test func `answer a create request with the documented task object`() async throws {
        try await withSandbox { _, caller async throws in
            let reply = try await caller.create()
            #expect(reply.status == 200)
            #expect(reply.id.hasPrefix("task_kling_v2_5_turbo_pro_"))
            let expected = """
                {"id":"\(reply.id)","status":"queued","model":"kling-v2-5-turbo-pro","reserved_credits":42,\
                "final_credits":0,"created_at":"2026-05-11T00:00:00.000Z","updated_at":"2026-05-11T00:00:00.000Z",\
                "result":null,"error":null}
                """
            #expect(reply.text == expected)
        }
    }

    @Test func `let a task be queued, then processing, then succeed`() async throws {
        let clock = StandingClock()
        try await withSandbox(SandboxSettings(secondsToFinish: 30), clock: clock) { _, caller async throws in
            let id = try await caller.create().id
            clock.advance(seconds: 9.9)
            #expect(try await caller.status(id).json["status"] == "queued")
            clock.advance(seconds: 0.2)
            let processing = try await caller.status(id).json
            #expect(processing["status"] == "processing")
            #expect(processing["final_credits"] == 0)
            #expect(processing["updated_at"] == "2026-05-11T00:00:10.000Z")
            clock.advance(seconds: 20)
            let succeeded = try await caller.status(id).json
            #expect(succeeded["status"] == "succeeded")
            #expect(succeeded["final_credits"] == 42)
            #expect(succeeded["updated_at"] == "2026-05-11T00:00:30.000Z")
            #expect(succeeded["error"] == .null)
            let primary = try #require(succeeded["result"]?["primary_url"])
            #expect(succeeded["result"]?["urls"] == .array([primary]))
        }
    }

    @Test func `let a task fail with a code and no final credits`() async throws {
        var settings = SandboxSettings(secondsToFinish: 1)
        settings.failureShare = 1
        let clock = StandingClock()
        try await withSandbox(settings, clock: clock) { _, caller async throws in
            let id = try await caller.create().id
            clock.advance(seconds: 1)
            let failed = try await caller.status(id).json
            #expect(failed["status"] == "failed")
            #expect(failed["final_credits"] == 0)
            #expect(failed["result"] == .null)
            #expect(failed["error"]?["code"] == "generation_failed")
            #expect(try await caller.balance() == 10_000)
        }
    }

    @Test func `answer the balance with one number`() async throws {
        try await withSandbox { _, caller async throws in
            let reply = try await caller.send(.GET, "/api/v1/credits")
            #expect(reply.status == 200)
            #expect(reply.text == #"{"current_credits":10000}"#)
        }
    }

    @Test func `list the models without a key`() async throws {
        try await withSandbox { _, caller async throws in
            var anyone = caller
            anyone.key = nil
            let list = try await anyone.send(.GET, "/api/v1/models").json
            #expect(list["object"] == "list")
            guard case .array(let models)? = list["data"] else { throw MissingData() }
            let kling = try #require(models.first { $0["id"] == "kling-v2-5-turbo-pro" })
            #expect(kling["base_credits"] == 42)
            #expect(kling["billing_type"] == "FIXED")
            #expect(kling["max_prompt_length"] == 2500)
            let names = [
                "id", "display_name", "category", "runtime", "base_credits", "billing_type", "supported_modes",
                "max_prompt_length", "reference_media", "params", "api_status", "api_input_status",
                "supported_api_inputs", "requires_files_api", "requires_upload_for_modes", "url_input_supported",
                "file_kinds", "chat_capabilities", "notices",
            ]
            for model in models { #expect(Set(model.members?.map(\.name) ?? []) == Set(names)) }
        }
    }

    @Test(arguments: [
        (nil, 401, "api_key_missing"), ("rvya_sk_nobody", 401, "api_key_invalid"),
        ("rvya_sk_revoked", 401, "api_key_revoked"), ("rvya_sk_expired", 401, "api_key_expired"),
        ("rvya_sk_narrow", 403, "api_scope_denied"),
    ])
    func `turn bad keys away in the documented body`(key: String?, status: Int, code: String) async throws {
        var settings = SandboxSettings()
        settings.accounts["default"]?.keys["rvya_sk_revoked"] = .revoked
        settings.accounts["default"]?.keys["rvya_sk_expired"] = .expired
        settings.accounts["narrow"] = .init(key: "rvya_sk_narrow", openingCredits: 100)
        settings.accounts["narrow"]?.deniedScopes = ["generations:create"]
        try await withSandbox(settings) { _, caller async throws in
            var stranger = caller
            stranger.key = key
            let reply = try await stranger.create()
            #expect(reply.status == status)
            #expect(reply.errorCode == code)
            #expect(reply.json["error"]?["message"]?.string?.isEmpty == false)
            #expect(reply.json["error"]?["requestId"]?.string?.hasPrefix("req_") == true)
        }
    }

    @Test func `hide tasks of other accounts as if there were none`() async throws {
        var settings = SandboxSettings()
        settings.accounts["other"] = .init(key: "rvya_sk_other", openingCredits: 50)
        try await withSandbox(settings) { _, caller async throws in
            let id = try await caller.create().id
            var other = caller
            other.key = "rvya_sk_other"
            for reply in [try await other.status(id), try await caller.status("task_nobody")] {
                #expect(reply.status == 404)
                #expect(reply.errorCode == "not_found")
            }
            #expect(try await other.balance() == 50)
        }
    }

    @Test func `answer unknown paths in the documented body`() async throws {
        try await withSandbox { _, caller async throws in
            let reply = try await caller.send(.GET, "/api/v1/nothing")
            #expect(reply.status == 404)
            #expect(reply.errorCode == "not_found")
        }
    }

    @Test(arguments: [
        "", "[]", "{", #"{"model":"kling-v2-5-turbo-pro"}"#, #"{"model":"kling-v2-5-turbo-pro","prompt":" "}"#,
        #"{"model":"nothing","prompt":"a"}"#, #"{"model":"kling-v2-5-turbo-pro","prompt":"a","files":[]}"#,
        #"{"model":"kling-v2-5-turbo-pro","prompt":"a","params":{"duration":5}}"#,
        #"{"model":"kling-v2-5-turbo-pro","prompt":"a","params":{"duration":"7"}}"#,
        #"{"model":"kling-v2-5-turbo-pro","prompt":"a","params":{"cfg_scale":"0.5"}}"#,
        #"{"model":"kling-v2-5-turbo-pro","prompt":"a","params":{"cfg_scale":1.5}}"#,
        #"{"model":"kling-v2-5-turbo-pro","prompt":"a","params":{"seed":1}}"#,
        #"{"model":"kling-v2-5-turbo-pro","prompt":"a","params":{"referenceMediaItems":[{"url":"https://a.b/c"}]}}"#,
        #"{"model":"z-image","prompt":"a","params":{"referenceMediaItems":[{"url":"a","kind":"image"}]}}"#,
        #"{"model":"elevenlabs-turbo-2-5","prompt":"a"}"#, String(repeating: "[", count: 100_000),
        #"{"model":"kling-v2-5-turbo-pro","prompt":"a","params":{"cfg_scale":1e999}}"#,
    ])
    func `refuse bodies that break the model's rules`(body: String) async throws {
        try await withSandbox { _, caller async throws in
            let reply = try await caller.create(body)
            #expect(reply.status == 400)
            #expect(reply.errorCode == "validation_failed")
            #expect(try await caller.balance() == 10_000)
        }
    }

    @Test func `count prompts in UTF-16 code units, to the last one`() async throws {
        try await withSandbox { _, caller async throws in
            func body(boats: Int) -> String {
                #"{"model":"kling-v2-5-turbo-pro","prompt":"\#(String(repeating: "⛵️", count: boats))"}"#
            }
            #expect(try await caller.create(body(boats: 1250)).status == 200)
            #expect(try await caller.create(body(boats: 1251)).errorCode == "validation_failed")
        }
    }

    @Test func `take every documented parameter, and ten seconds at the sandbox's price`() async throws {
        try await withSandbox { _, caller async throws in
            let reply = try await caller.create(
                #"""
                {"model":"kling-v2-5-turbo-pro","prompt":"a \"b\" \\ ü","client_request_id":"trace","params":
                {"duration":"10","aspect_ratio":"9:16","negative_prompt":"rain","cfg_scale":1}}
                """#)
            #expect(reply.json["reserved_credits"] == 84)
        }
    }

    @Test func `refuse a body above the limit`() async throws {
        try await withSandbox { _, caller async throws in
            let reply = try await caller.create(String(repeating: " ", count: 300_000))
            #expect(reply.errorCode == "validation_failed")
        }
    }

    @Test func `turn away what is above the rate limit until the next second`() async throws {
        var settings = SandboxSettings()
        settings.rateLimitPerSecond = 2
        let clock = StandingClock()
        try await withSandbox(settings, clock: clock) { _, caller async throws in
            for _ in 0..<2 { #expect(try await caller.balance() == 10_000) }
            let reply = try await caller.send(.GET, "/api/v1/credits")
            #expect(reply.status == 429)
            #expect(reply.errorCode == "rate_limited")
            #expect(reply.headers["retry-after"] == "1")
            clock.advance(seconds: 1)
            #expect(try await caller.balance() == 10_000)
        }
    }
}

private struct MissingData: Error {}
