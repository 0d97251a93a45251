import NIOCore
import NIOPosix
import Testing

@testable import RivyaClient

private let task = #"{"id":"task_1","status":"queued","reserved_credits":42,"final_credits":0}"#

private func create(_ client: RivyaClient) async throws(RivyaError) -> Generation {
    try await client.createGeneration(body: Array("{}".utf8), idempotencyKey: "task-1")
}

@Suite struct `A request` {
    @Test(arguments: [200, 201, 202])
    func `takes any success with a task`(status: Int) async throws {
        try await ScriptedServer.run([.answer(status, task)]) { client, _ in
            let answered = try await create(client).id
            #expect(answered == "task_1")
        }
    }

    @Test func `for a new task is not answered by an answer that came twice`() async throws {
        let other = #"{"id":"task_2","status":"queued","reserved_credits":42,"final_credits":0}"#
        guard case .bytes(let answer) = ScriptedServer.Step.answer(200, task) else { return }
        // The second copy comes once the next request is on its way, on the same connection should it be kept.
        try await ScriptedServer.run([.bytes(answer), .answer(200, other)]) { client, server in
            let first = try await create(client).id
            server.repeatOnOldConnections(answer)
            let second = try await create(client).id
            #expect([first, second] == ["task_1", "task_2"])
            #expect(server.requests.allSatisfy { $0.header("Connection") == "close" })
        }
    }

    @Test func `asks for one task by its encoded id`() async throws {
        let answer = #"{"id":"a/b c?é","status":"processing"}"#
        try await ScriptedServer.run([.answer(200, answer), .answer(200, task)]) { client, server in
            let answered = try await client.generation(id: "a/b c?é").status
            #expect(answered == .processing)
            #expect(server.requests[0].line == "GET /api/v1/generations/a%2Fb%20c%3F%C3%A9 HTTP/1.1")
            let other = await failure { () throws(RivyaError) in try await client.generation(id: "task_2") }
            #expect(other?.failure == .unreadableAnswer)
        }
    }

    @Test(arguments: ["", ".", "..", String(repeating: "x", count: 513)])
    func `is not sent for an id that cannot be one`(id: String) async throws {
        try await ScriptedServer.run([]) { client, server in
            let error = await failure { () throws(RivyaError) in try await client.generation(id: id) }
            #expect(error?.attempts == 0)
            #expect(server.requests.isEmpty)
        }
    }

    @Test(arguments: ["", "a b", "a\r\nX: 1", "é", String(repeating: "k", count: 256)])
    func `is not sent under a key that breaks the header`(key: String) async throws {
        try await ScriptedServer.run([]) { client, server in
            let error = await failure { () throws(RivyaError) in
                try await client.createGeneration(body: [0x7B, 0x7D], idempotencyKey: key)
            }
            #expect(error?.creationOutcome == .notTaken)
            #expect(server.requests.isEmpty)
        }
    }

    @Test func `is not sent when it breaks the contract`() async throws {
        try await ScriptedServer.run([]) { client, server in
            let error = await failure { () throws(RivyaError) in
                try await client.createGeneration(
                    GenerationRequest(model: "kling-v2-5-turbo-pro", prompt: ""), idempotencyKey: "k")
            }
            guard case .contractViolation(let violation) = error?.failure else {
                throw RivyaError(failure: .noAnswer)
            }
            #expect(violation.field == "prompt")
            #expect(error?.creationOutcome == .notTaken)
            #expect(server.requests.isEmpty)
        }
    }

    @Test func `needs a key, but for the models`() async throws {
        try await ScriptedServer.run([.answer(200, #"{"data":[{"id":"z-image"}]}"#)], key: nil) { client, server in
            #expect(await failure { () throws(RivyaError) in try await client.credits() }?.failure == .missingAPIKey)
            #expect(await failure { () throws(RivyaError) in try await create(client) }?.attempts == 0)
            let answered = try await client.models()
            #expect(answered == [Model(id: "z-image")])
            #expect(server.requests.map { $0.header("Authorization") } == [nil])
        }
    }

    @Test(arguments: [301, 302, 303, 307, 308])
    func `does not follow a redirect with its key`(status: Int) async throws {
        try await ScriptedServer.run([.answer(200, #"{"current_credits":1}"#)]) { _, elsewhere in
            let target = "http://127.0.0.1:1/"
            try await ScriptedServer.run(
                [.answer(status, "", headers: "Location: \(target)\r\n"), .answer(200, task)], retry: .eager()
            ) { client, server in
                let error = await failure { () throws(RivyaError) in try await create(client) }
                #expect(error?.failure == .unreadableAnswer)
                #expect(error?.isTransient == false)
                #expect(error?.creationOutcome == .unknown)
                #expect(server.requests.count == 1)
            }
            #expect(elsewhere.requests.isEmpty)
        }
    }
}

@Suite struct `A connection` {
    @Test func `that cannot be opened takes no credits`() async throws {
        let listener = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .bind(host: "127.0.0.1", port: 0).get()
        let port = listener.localAddress?.port ?? 0
        try await listener.close()
        let client = RivyaClient(
            try RivyaConfiguration(
                baseURL: "http://127.0.0.1:\(port)", apiKey: APIKey(sampleKey), retry: .eager(2)),
            logger: CapturedLog().logger)
        for error in [
            await failure { () throws(RivyaError) in try await create(client) },
            await failure { () throws(RivyaError) in try await client.credits() },
        ] {
            #expect(error?.failure == .notSent)
            #expect(error?.creationOutcome == .notTaken)
            #expect(error?.attempts == 2)
            #expect(error?.isTransient == true)
            #expect(error?.message.hasSuffix("Connection refused") == true, "\(error?.message ?? "")")
        }
        await client.shutdown()
    }

    @Test func `without TLS at the other end takes no credits`() async throws {
        try await ScriptedServer.run([], scheme: "https") { client, server in
            let error = await failure { () throws(RivyaError) in try await create(client) }
            #expect(error?.failure == .notSent)
            #expect(error?.creationOutcome == .notTaken)
            #expect(server.requests.isEmpty)
        }
    }

    @Test(arguments: [
        "", "HTTP/1.1 200", "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"id\":\"t\"",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"id\"\r\n",
    ])
    func `that is cut leaves the outcome open`(bytes: String) async throws {
        try await ScriptedServer.run([.bytesThenCut(bytes)]) { client, _ in
            let error = await failure { () throws(RivyaError) in try await create(client) }
            #expect([.noAnswer, .unreadableAnswer].contains(error?.failure))
            #expect(error?.creationOutcome == .unknown)
            #expect(error?.isTransient == true)
        }
    }

    @Test(arguments: [
        "SSH-2.0-OpenSSH_9.2\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n{\"id\":", "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
    ])
    func `that brings nonsense leaves the outcome open`(bytes: String) async throws {
        try await ScriptedServer.run([.bytesThenCut(bytes)]) { client, _ in
            let error = await failure { () throws(RivyaError) in try await create(client) }
            #expect(error?.failure == .unreadableAnswer)
            #expect(error?.creationOutcome == .unknown)
            #expect(error?.isTransient == true)
        }
    }

    @Test(arguments: [
        ScriptedServer.Step.silence, .bytes("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"id\":"),
    ])
    func `that stalls ends in time and leaves the outcome open`(step: ScriptedServer.Step) async throws {
        // On a busy machine a short timeout may end before anything was sent, so it grows until something is.
        for doublings in 0..<8 {
            let timeout = Duration.milliseconds(250 << doublings)
            let stalled = try await ScriptedServer.run([step], timeout: timeout) { client, server in
                let error = await failure { () throws(RivyaError) in try await create(client) }
                guard error?.failure == .timedOut else {
                    #expect(error?.failure == .notSent)
                    #expect(error?.creationOutcome == .notTaken)
                    #expect(server.requests.isEmpty)
                    return false
                }
                #expect(error?.creationOutcome == .unknown)
                #expect(error?.isTransient == true)
                return true
            }
            if stalled { return }
        }
        Issue.record("no timeout was long enough to send a request")
    }

    @Test func `that brings too much is cut off`() async throws {
        let fits = #"{"current_credits":1}"# + String(repeating: " ", count: 1_048_576 - 21)
        let long = "HTTP/1.1 200 OK\r\n\r\n" + String(repeating: " ", count: 1_048_577)
        try await ScriptedServer.run([.answer(200, fits), .answer(200, fits + " "), .bytes(long)]) { client, _ in
            let answered = try await client.credits()
            #expect(answered == 1)
            for _ in 0..<2 {
                let error = await failure { () throws(RivyaError) in try await client.credits() }
                #expect(error?.failure == .unreadableAnswer)
                #expect(error?.message.contains("1048576") == true)
            }
        }
    }

    @Test func `may bring more for the list of models`() async throws {
        let body = #"{"data":[],"x":"\#(String(repeating: "x", count: 2_000_000))"}"#
        try await ScriptedServer.run([.answer(200, body)]) { client, _ in
            let models = try await client.models()
            #expect(models.isEmpty)
        }
    }
}

@Suite struct `Many requests` {
    @Test func `are never more than the limit at once, and all are answered`() async throws {
        let count = 40
        let steps = Array(
            repeating: ScriptedServer.Step.held(
                "HTTP/1.1 200 OK\r\nContent-Length: 21\r\n\r\n{\"current_credits\":7}"), count: count)
        try await ScriptedServer.run(steps, concurrent: 4) { client, server in
            try await withThrowingTaskGroup(of: Int64.self) { group in
                for _ in 0..<count { group.addTask { try await client.credits() } }
                var arrived = 0
                for await _ in server.arrivals {
                    arrived += 1
                    // From the fourth on, one is let go for each that comes, so the limit is always reached.
                    if arrived >= 4 { server.release() }
                    if arrived == count { break }
                }
                for _ in 0..<3 { server.release() }
                for try await credits in group { #expect(credits == 7) }
            }
            #expect(server.requests.count == count)
            #expect(server.mostHeld == 4)
        }
    }

    @Test func `can be given up while they wait, without a trace`() async throws {
        let answer = ScriptedServer.Step.answer(200, #"{"current_credits":7}"#)
        try await ScriptedServer.run([.silence] + Array(repeating: answer, count: 9), concurrent: 1) { client, server in
            let errors = await withTaskGroup(of: RivyaError?.self) { group in
                for _ in 0..<20 {
                    group.addTask { await failure { () throws(RivyaError) in try await create(client) } }
                }
                for await _ in server.arrivals { break }
                group.cancelAll()
                return await group.reduce(into: []) { $0.append($1) }
            }
            #expect(errors.allSatisfy { $0?.failure == .cancelled })
            // The first to be cancelled makes room for another, which may go out before its own turn comes.
            #expect((1...3).contains(server.requests.count))
            // One may be cancelled while it is written, before the server has read it.
            let unknown = errors.count { $0?.creationOutcome == .unknown }
            #expect((server.requests.count...3).contains(unknown), "\(unknown), and \(server.requests.count) were read")
            let answered = try await client.credits()
            #expect(answered == 7)
        }
    }

    @Test func `fail as cancelled once the client is shut down`() async throws {
        try await ScriptedServer.run([]) { client, server in
            await client.shutdown()
            await client.shutdown()
            let error = await failure { () throws(RivyaError) in try await create(client) }
            #expect(error?.failure == .cancelled)
            #expect(error?.creationOutcome == .notTaken)
            #expect(server.requests.isEmpty)
        }
    }
}
