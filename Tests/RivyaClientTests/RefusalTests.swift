import Testing

@testable import RivyaClient

private let task = #"{"id":"task_1","status":"queued","reserved_credits":42,"final_credits":0}"#

@Suite struct `A refusal` {
    @Test(arguments: ErrorCode.documented)
    func `carries its code, status, request and words`(code: ErrorCode) async throws {
        try await ScriptedServer.run([.refusal(418, code.rawValue)]) { client, _ in
            let error = await failure { () throws(RivyaError) in try await client.credits() }
            #expect(error?.failure == .refused(code))
            #expect(error?.httpStatus == 418)
            #expect(error?.requestID == "req_1")
            #expect(error?.message == "Sorry.")
            #expect(error?.isTransient == [.publicAPIDisabled, .rateLimited].contains(code))
            let open: [ErrorCode] = [.idempotencyConflict, .generationFailed]
            #expect(error?.creationOutcome == (open.contains(code) ? .unknown : .notTaken))
        }
    }

    @Test func `has a code of its own for every word of the documentation`() {
        #expect(ErrorCode.documented.count == 16)
        #expect(Set(ErrorCode.documented.map(\.rawValue)).count == 16)
        for code in ErrorCode.documented { #expect(ErrorCode(rawValue: code.rawValue) == code) }
        #expect(ErrorCode(rawValue: "new_code") == .unknown("new_code"))
    }

    @Test(arguments: [
        (400, false, CreationOutcome.notTaken), (402, false, .notTaken), (404, false, .notTaken),
        (422, false, .notTaken), (429, true, .notTaken), (409, false, .unknown), (408, true, .unknown),
        (500, true, .unknown), (502, true, .unknown), (503, true, .unknown),
    ])
    func `with an unknown code keeps the hold when the status is no clear no`(
        status: Int, transient: Bool, outcome: CreationOutcome
    ) async throws {
        try await ScriptedServer.run([.refusal(status, "brand_new")]) { client, _ in
            let error = await failure { () throws(RivyaError) in
                try await client.createGeneration(body: [0x7B, 0x7D], idempotencyKey: "k")
            }
            #expect(error?.failure == .refused(.unknown("brand_new")))
            #expect(error?.isTransient == transient)
            #expect(error?.creationOutcome == outcome)
        }
    }

    @Test(arguments: ["", "<html>Bad Gateway</html>", "{}", #"{"error":"no"}"#, #"{"error":{"code":7}}"#, "[1"])
    func `that cannot be read keeps the hold`(body: String) async throws {
        for (status, transient) in [(400, false), (404, false), (429, true), (500, true), (503, true)] {
            try await ScriptedServer.run([.answer(status, body)]) { client, _ in
                let error = await failure { () throws(RivyaError) in
                    try await client.createGeneration(body: [0x7B, 0x7D], idempotencyKey: "k")
                }
                #expect(error?.failure == .unreadableAnswer)
                #expect(error?.httpStatus == status)
                #expect(error?.isTransient == transient)
                #expect(error?.creationOutcome == .unknown)
            }
        }
    }

    @Test func `never repeats the key, wherever the provider puts it`() async throws {
        let log = CapturedLog()
        let body = """
            {"error":{"code":"\(sampleKey)","message":"Key \(sampleKey) is \(sampleKey)x bad","requestId":"\(sampleKey)"}}
            """
        try await ScriptedServer.run(
            [.answer(500, body), .answer(500, body)], retry: .eager(2), logger: log.logger
        ) { client, _ in
            let error = await failure { () throws(RivyaError) in try await client.credits() }
            var dumped = ""
            dump(error, to: &dumped)
            dump(client, to: &dumped)
            for text in ["\(error as Any)", String(reflecting: error), dumped] + log.lines.all {
                #expect(!text.contains("0123456789"))
            }
            #expect(!log.lines.all.isEmpty)
        }
    }

    @Test func `has bounded words`() async throws {
        let long = String(repeating: "x", count: 9999)
        let body = #"{"error":{"code":"\#(long)","message":"\#(long)"}}"#
        try await ScriptedServer.run([.answer(400, body)]) { client, _ in
            let error = await failure { () throws(RivyaError) in try await client.credits() }
            #expect(error?.message.count == 500)
            guard case .refused(.unknown(let code)) = error?.failure else { throw RivyaError(failure: .noAnswer) }
            #expect(code.count == 128)
        }
    }
}

@Suite struct `Trying again` {
    @Test func `sends the same bytes under the same key`() async throws {
        let request = GenerationRequest(
            model: "kling-v2-5-turbo-pro", prompt: "a fox", parameters: ["duration": "5", "cfg_scale": 0.5])
        try await ScriptedServer.run(
            [
                .refusal(429, "rate_limited", headers: "Retry-After: 0\r\n"), .cut, .answer(502, "<html>"),
                .answer(202, task),
            ], retry: .eager()
        ) { client, server in
            let generation = try await client.createGeneration(request, idempotencyKey: "task-1")
            #expect(generation.reservedCredits == 42)
            #expect(server.requests.count == 4)
            for sent in server.requests {
                #expect(sent.line == "POST /api/v1/generations HTTP/1.1")
                #expect(sent.header("Idempotency-Key") == "task-1")
                #expect(sent.header("Authorization") == "Bearer \(sampleKey)")
                #expect(sent.header("Content-Type") == "application/json")
                #expect(sent.body == request.encoded())
            }
        }
    }

    @Test(arguments: ErrorCode.documented.filter { ![.rateLimited, .publicAPIDisabled].contains($0) })
    func `is left alone when it cannot help`(code: ErrorCode) async throws {
        try await ScriptedServer.run([.refusal(503, code.rawValue), .answer(200, task)], retry: .eager()) {
            client, server in
            let error = await failure { () throws(RivyaError) in
                try await client.createGeneration(body: [0x7B, 0x7D], idempotencyKey: "k")
            }
            #expect(error?.attempts == 1)
            #expect(server.requests.count == 1)
        }
    }

    @Test func `ends after the policy's attempts`() async throws {
        try await ScriptedServer.run(Array(repeating: .refusal(429, "rate_limited"), count: 9), retry: .eager(3)) {
            client, server in
            let error = await failure { () throws(RivyaError) in try await client.credits() }
            #expect(error?.attempts == 3)
            #expect(server.requests.count == 3)
        }
    }

    @Test func `does not wait longer than the policy lets it`() async throws {
        try await ScriptedServer.run(
            [.refusal(429, "rate_limited", headers: "Retry-After: 61\r\n")], retry: .eager()
        ) { client, server in
            let error = await failure { () throws(RivyaError) in try await client.credits() }
            #expect(error?.retryAfter == .seconds(61))
            #expect(server.requests.count == 1)
        }
    }

    @Test func `does not turn an open outcome into a refusal`() async throws {
        try await ScriptedServer.run([.cut, .refusal(400, "validation_failed")], retry: .eager()) { client, _ in
            let error = await failure { () throws(RivyaError) in
                try await client.createGeneration(body: [0x7B, 0x7D], idempotencyKey: "k")
            }
            #expect(error?.failure == .refused(.validationFailed))
            #expect(error?.attempts == 2)
            #expect(error?.creationOutcome == .unknown)
        }
    }

    @Test(arguments: UInt64(0)..<50)
    func `waits at random between nothing and a doubling, capped delay`(seed: UInt64) {
        var generator = SeededGenerator(state: seed)
        let policy = RetryPolicy.standard
        for (attempt, ceiling) in [(0, 250), (1, 250), (2, 500), (3, 1000), (6, 8000), (7, 10_000), (Int.max, 10_000)] {
            let delay = policy.delay(afterAttempt: attempt, retryAfter: nil, using: &generator)
            #expect((.zero ... .milliseconds(ceiling)).contains(delay))
        }
        let asked = policy.delay(afterAttempt: 1, retryAfter: .seconds(20), using: &generator)
        #expect(asked == .seconds(20))
        let tooLong = policy.delay(afterAttempt: 1, retryAfter: .seconds(86_400), using: &generator)
        #expect(tooLong == .seconds(60))
        #expect(RetryPolicy.never.delay(afterAttempt: 9, retryAfter: nil, using: &generator) == .zero)
    }

    @Test func `spreads its waits`() {
        var generator = SeededGenerator(state: 1)
        let delays = (0..<200).map { _ in
            RetryPolicy.standard.delay(afterAttempt: 3, retryAfter: nil, using: &generator)
        }
        #expect(delays.contains { $0 < .milliseconds(200) } && delays.contains { $0 > .milliseconds(800) })
    }
}
