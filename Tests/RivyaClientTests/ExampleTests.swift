import Foundation
import Logging
import RivyaClient
import Testing

// The example of docs/rivya-client.md, so that it stays compilable.

private func makeVideo(prompt: String, firstFrame path: String?, key idempotencyKey: String) async throws -> [String] {
    let configuration = try RivyaConfiguration.fromEnvironment(ProcessInfo.processInfo.environment)
    let client = RivyaClient(configuration, logger: Logger(label: "video"))
    let result: Result<[String], any Error>
    do {
        result = .success(try await makeVideo(with: client, prompt: prompt, firstFrame: path, key: idempotencyKey))
    } catch {
        result = .failure(error)
    }
    await client.shutdown()
    return try result.get()
}

private func makeVideo(
    with client: RivyaClient, prompt: String, firstFrame path: String?, key idempotencyKey: String
) async throws -> [String] {
    let model = ModelContract.klingV25TurboPro.model
    var request = GenerationRequest(model: model, prompt: prompt, parameters: ["duration": "5", "cfg_scale": 0.5])
    if let path {
        let file = try ReferenceFile(path: path, model: model)
        request.references = [MediaReference(file, uploaded: try await client.upload(file, model: model))]
    }
    try request.validate()
    let body = request.encoded()  // Store the body and the key here, before the first byte is sent.

    var generation: Generation
    do {
        generation = try await client.createGeneration(body: body, idempotencyKey: idempotencyKey)
    } catch {
        switch error.creationOutcome {
        case .notTaken: print("nothing was taken: \(error)")
        case .unknown: print("credits may be taken; send the same body under the same key again: \(error)")
        }
        throw error
    }
    while !generation.status.isTerminal {
        try await Task.sleep(for: .seconds(5))
        generation = try await client.generation(id: generation.id)
    }
    return generation.resultURLs
}

@Suite struct `The example of the article` {
    @Test func `ends with the results`() async throws {
        let task = #"{"id":"task_1","status":"succeeded","result":{"primary_url":"https://x/1"}}"#
        try await ScriptedServer.run([.answer(200, task)]) { client, server in
            let urls = try await makeVideo(with: client, prompt: "a fox", firstFrame: nil, key: "task-1")
            #expect(urls == ["https://x/1"])
            #expect(server.requests.count == 1)
        }
    }
}
