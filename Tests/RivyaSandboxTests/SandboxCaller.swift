import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import Synchronization

@testable import RivyaSandbox

/// Calls a sandbox over HTTP, as any client of the provider would.
struct SandboxCaller: Sendable {
    let baseURL: String
    var key: String? = SandboxSettings.defaultKey

    struct Reply: Sendable {
        let status: Int
        let headers: [String: String]
        let text: String

        var json: JSONValue { (try? JSONDecoder().decode(JSONValue.self, from: Data(text.utf8))) ?? .null }
        var id: String { json["id"]?.string ?? "" }
        var errorCode: String? { json["error"]?["code"]?.string }
    }

    static let prompt = #"{"model":"kling-v2-5-turbo-pro","prompt":"A paper boat on a pond."}"#

    func create(_ body: String = prompt, idempotencyKey: String? = nil) async throws -> Reply {
        var headers = ["Content-Type": "application/json"]
        headers["Idempotency-Key"] = idempotencyKey
        return try await send(.POST, "/api/v1/generations", headers, Array(body.utf8))
    }

    func status(_ id: String) async throws -> Reply { try await send(.GET, "/api/v1/generations/\(id)") }

    func balance() async throws -> Int? {
        try await send(.GET, "/api/v1/credits").json["current_credits"]?.integer
    }

    func upload(_ content: [UInt8], kind: String, model: String? = nil) async throws -> Reply {
        var body = Array("--edge\r\nContent-Disposition: form-data; name=\"kind\"\r\n\r\n\(kind)\r\n".utf8)
        if let model {
            body += Array("--edge\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\n\(model)\r\n".utf8)
        }
        body += Array("--edge\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.bin\"\r\n\r\n".utf8)
        body += content + Array("\r\n--edge--\r\n".utf8)
        return try await send(.POST, "/api/v1/files", ["Content-Type": "multipart/form-data; boundary=edge"], body)
    }

    func control(_ method: HTTPMethod, _ path: String, _ body: String = "") async throws -> Reply {
        try await send(method, path, [:], Array(body.utf8))
    }

    func send(
        _ method: HTTPMethod, _ path: String, _ headers: [String: String] = [:], _ body: [UInt8] = []
    ) async throws -> Reply {
        var request = HTTPClientRequest(url: baseURL + path)
        request.method = method
        for (name, value) in headers { request.headers.add(name: name, value: value) }
        if let key { request.headers.add(name: "Authorization", value: "Bearer \(key)") }
        if !body.isEmpty { request.body = .bytes(body) }
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(30))
        let text = String(buffer: try await response.body.collect(upTo: 64 * 1024 * 1024))
        let pairs = response.headers.map { ($0.name.lowercased(), $0.value) }
        return Reply(
            status: Int(response.status.code), headers: Dictionary(pairs, uniquingKeysWith: { $1 }), text: text)
    }
}

/// A clock that moves only when told to.
final class StandingClock: Sendable {
    private let date = Mutex(Date(timeIntervalSince1970: 1_778_457_600))

    @Sendable func read() -> Date { date.withLock { $0 } }
    func advance(seconds: Double) { date.withLock { $0 += seconds } }
}

/// Runs a sandbox and gives its caller.
func withSandbox<Value>(
    _ settings: SandboxSettings = SandboxSettings(), clock: StandingClock = StandingClock(),
    _ body: (RivyaSandbox, SandboxCaller) async throws -> Value
) async throws -> Value {
    try await RivyaSandbox.withSandbox(settings: settings, clock: clock.read) { sandbox, baseURL in
        try await body(sandbox, SandboxCaller(baseURL: baseURL))
    }
}
