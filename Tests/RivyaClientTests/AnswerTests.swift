import Foundation
import Testing

@testable import RivyaClient

private func answer(_ body: String) -> Answer { Answer(status: 200, retryAfter: nil, body: Array(body.utf8)) }
private let reader = AnswerReader(redaction: Redaction(key: try? APIKey(sampleKey)))

@Suite struct `An answer` {
    @Test func `with a task is read in full`() throws {
        let generation = try reader.generation(
            answer(
                """
                {"id":"task_1","status":"succeeded","model":"kling-v2-5-turbo-pro","reserved_credits":42,
                "final_credits":42.0,"created_at":"2026-05-11T00:00:00.000Z","updated_at":"2026-05-11T00:01:00.250Z",
                "result":{"primary_url":"https://x/1","urls":["https://x/1","https://x/2"]},"error":null,"new":[1]}
                """))
        #expect(
            generation
                == Generation(
                    id: "task_1", status: .succeeded, model: "kling-v2-5-turbo-pro", reservedCredits: 42,
                    finalCredits: 42, createdAt: Date(timeIntervalSince1970: 1_778_457_600),
                    updatedAt: Date(timeIntervalSince1970: 1_778_457_660.25),
                    resultURLs: ["https://x/1", "https://x/2"]))
    }

    @Test func `with the least there can be is read too`() throws {
        let generation = try reader.generation(answer(#"{"id":"t","status":"queued"}"#))
        #expect(generation == Generation(id: "t", status: .queued))
        #expect(generation.finalCredits == nil)
    }

    @Test(arguments: ["null", "0", "7"])
    func `tells not settled from zero`(final: String) throws {
        let generation = try reader.generation(answer(#"{"id":"t","status":"failed","final_credits":\#(final)}"#))
        #expect(generation.finalCredits == Int64(final))
    }

    @Test func `with a failed task says why`() throws {
        let generation = try reader.generation(
            answer(
                #"{"id":"t","status":"failed","error":{"code":"generation_failed","message":"No \#(sampleKey) way"}}"#))
        #expect(generation.error == GenerationError(code: .generationFailed, message: "No [redacted] way"))
        #expect(generation.status.isTerminal)
    }

    @Test(arguments: ["queued", "processing", "paused", "SUCCEEDED", "cancelled"])
    func `has no end it does not name`(status: String) throws {
        let generation = try reader.generation(answer(#"{"id":"t","status":"\#(status)"}"#))
        #expect(!generation.status.isTerminal)
        #expect(generation.status.rawValue == status)
    }

    @Test(arguments: ["-1", "42.5", "\"42\"", "1e400", "9223372036854775808", "true", "{}", "-0.5"])
    func `about credits is exact or refused, by name`(credits: String) {
        for field in ["reserved_credits", "final_credits"] {
            let problem = #expect(throws: AnswerProblem.self) {
                try reader.generation(answer(#"{"id":"t","status":"queued","\#(field)":\#(credits)}"#))
            }
            #expect(problem?.message.hasPrefix(field) == true)
        }
        let problem = #expect(throws: AnswerProblem.self) {
            try reader.credits(answer(#"{"current_credits":\#(credits)}"#))
        }
        #expect(problem?.message.hasPrefix("current_credits") == true)
    }

    @Test(arguments: [("0", 0), ("123", 123), ("42.0", 42), ("1000000000000000", 1_000_000_000_000_000)])
    func `with a balance loses nothing`(text: String, credits: Int64) throws {
        #expect(try reader.credits(answer(#"{"current_credits":\#(text),"more":{}}"#)) == credits)
    }

    @Test(arguments: [
        "", "null", "[]", "42", "<html>", #"{"id":"t"}"#, #"{"status":"queued"}"#, #"{"id":"","status":"queued"}"#,
        #"{"id":7,"status":"queued"}"#, #"{"id":"t","status":null}"#, #"{"id":"t","status":"queued""#,
        #"{"error":{"code":"rate_limited"}}"#, #"{"id":"t\u0000","status":"queued"}"#,
        #"{"id":"t","status":"queued","final_credits":1,"final_credits":2}"#,
    ])
    func `without a task is refused`(body: String) {
        #expect(throws: AnswerProblem.self) { try reader.generation(answer(body)) }
    }

    @Test func `with a balance missing is refused`() {
        #expect(throws: AnswerProblem.self) { try reader.credits(answer("{}")) }
        #expect(throws: AnswerProblem.self) { try reader.credits(answer(#"{"current_credits":null}"#)) }
    }

    @Test func `with models keeps those that can be read`() throws {
        let (models, unreadable) = try reader.models(
            answer(
                """
                {"object":"list","data":[{"id":"z-image","display_name":"Z-Image","category":"image","base_credits":1,
                "billing_type":"FIXED","max_prompt_length":1000,"params":[],"api_status":"available"},
                {"id":"4o-image","max_prompt_length":null,"base_credits":-3},{"name":"no id"},7]}
                """))
        #expect(
            models == [
                Model(
                    id: "z-image", displayName: "Z-Image", category: "image", baseCredits: 1, billingType: "FIXED",
                    apiStatus: "available", maxPromptLength: 1000), Model(id: "4o-image"),
            ])
        #expect(unreadable == 2)
    }

    @Test func `puts the primary result first`() throws {
        for (result, urls) in [
            (#"{"primary_url":"b","urls":["a","b"]}"#, ["b", "a"]), (#"{"primary_url":"a"}"#, ["a"]),
            (#"{"urls":["a",7]}"#, ["a"]), ("null", []), ("\"x\"", []),
        ] {
            let body = #"{"id":"t","status":"succeeded","result":\#(result)}"#
            #expect(try reader.generation(answer(body)).resultURLs == urls)
        }
    }
}

@Suite struct `A moment` {
    @Test(arguments: [
        ("2026-05-11T00:00:00.000Z", 1_778_457_600.0), ("2026-05-11T02:00:00+02:00", 1_778_457_600.0),
        ("1970-01-01T00:00:00Z", 0), ("2024-02-29T23:59:59.5Z", 1_709_251_199.5), ("1969-12-31T23:59:59Z", -1),
        ("2000-03-01T00:00:00Z", 951_868_800),
    ])
    func `is read from the provider's form`(text: String, seconds: Double) {
        #expect(Timestamp.iso8601(text) == Date(timeIntervalSince1970: seconds))
    }

    @Test(arguments: [
        "", "2026-05-11", "2025-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-05-11T24:00:00Z",
        "2026-05-11T00:00:00", "2026-05-11T00:00:00.Z", "yesterday, at about noon",
        "２026-05-11T00:00:00Z",
    ])
    func `is nothing when it cannot be read`(text: String) {
        #expect(Timestamp.iso8601(text) == nil)
    }

    @Test(arguments: [
        ("0", 0), ("7", 7), (" 120 ", 120), ("99999999999999999999999", 86_400),
        ("Mon, 11 May 2026 00:01:00 GMT", 60), ("Sun, 10 May 2026 00:00:00 GMT", 0),
        ("Mon, 11 May 2096 00:00:00 GMT", 86_400),
    ])
    func `to come back at is read as seconds or a date`(text: String, seconds: Int) {
        let now = Date(timeIntervalSince1970: 1_778_457_600)
        #expect(RetryAfter.read(text, now: now) == .seconds(seconds))
    }

    @Test(arguments: ["", "-1", "1.5", "soon", "Mon, 11 May 2026 00:01:00 CET", "Mon, 31 Feb 2026 00:01:00 GMT"])
    func `to come back at is passed over when it cannot be read`(text: String) {
        #expect(RetryAfter.read(text, now: Date(timeIntervalSince1970: 0)) == nil)
    }
}
