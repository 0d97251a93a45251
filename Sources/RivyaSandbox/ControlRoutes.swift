import HTTPTypes
import Hummingbird

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The sandbox's own endpoints, for scripts: the books, and what ``RivyaSandbox`` offers in process. They take no key.
struct ControlRoutes: Sendable {
    let books: SandboxBooks
    let heldAnswers: HeldAnswers

    func add(to router: Router<SandboxContext>) {
        router.get("books") { request, _ in
            let report = await books.report(includingTasks: request.uri.queryParameters["tasks"] != "false")
            return try json(report)
        }
        let sandbox = router.group("sandbox")
        sandbox.post("hold", use: hold)
        sandbox.post("release") { _, _ in
            await heldAnswers.release()
            return await held
        }
        sandbox.get("held") { _, _ in await held }
        sandbox.post("tasks/:id/finish", use: finish)
        sandbox.post("tasks/:id/revise", use: revise)
        sandbox.post("studio", use: spendInStudio)
        sandbox.get("settings") { _, _ in try json(await books.settings) }
        sandbox.patch("settings") { request, _ in
            let body = try await request.body.collect(upTo: maximumBodyBytes)
            return try await refusals {
                try await books.apply(await books.settings.patched(with: String(buffer: body)))
                return try json(await books.settings)
            }
        }
        sandbox.post("next", use: failNext)
    }

    private let maximumBodyBytes = 1024 * 1024

    private var held: Response {
        get async {
            Answer(body: ["holding": .bool(await heldAnswers.isHolding), "held": .integer(await heldAnswers.count)])
                .response
        }
    }

    @Sendable private func hold(_ request: Request, _ context: SandboxContext) async throws -> Response {
        let creates = try await body(of: request)["creates"]?.bool ?? true
        if creates { await heldAnswers.hold() } else { await heldAnswers.release() }
        return await held
    }

    @Sendable private func finish(_ request: Request, _ context: SandboxContext) async throws -> Response {
        let body = try await body(of: request)
        guard let outcome = body["status"]?.string.flatMap(TaskOutcome.init) else {
            return refusal("'status' must be succeeded or failed")
        }
        let id = context.parameters.get("id") ?? ""
        return try await refusals {
            try await books.finish(id, outcome, finalCredits: body["final_credits"]?.integer)
            return Answer(body: ["id": .string(id), "status": .string(outcome.rawValue)]).response
        }
    }

    @Sendable private func revise(_ request: Request, _ context: SandboxContext) async throws -> Response {
        guard let credits = try await body(of: request)["final_credits"]?.integer else {
            return refusal("'final_credits' must be a whole number")
        }
        let id = context.parameters.get("id") ?? ""
        return try await refusals {
            try await books.revise(id, finalCredits: credits)
            return Answer(body: ["id": .string(id), "final_credits": .integer(credits)]).response
        }
    }

    @Sendable private func spendInStudio(_ request: Request, _ context: SandboxContext) async throws -> Response {
        let body = try await body(of: request)
        guard let credits = body["credits"]?.integer else {
            return refusal("'credits' must be a whole number; a negative one is a top-up")
        }
        return try await refusals {
            let account = body["account"]?.string ?? SandboxSettings.defaultAccount
            let balance = try await books.spendInStudio(credits, account: account)
            return Answer(body: ["current_credits": .integer(balance)]).response
        }
    }

    @Sendable private func failNext(_ request: Request, _ context: SandboxContext) async throws -> Response {
        let body = try await body(of: request)
        guard let fault = body["fault"]?.string.flatMap(Fault.init) else {
            return refusal("'fault' must be one of \(Fault.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        guard let endpoint = SandboxEndpoint(rawValue: body["on"]?.string ?? SandboxEndpoint.create.rawValue) else {
            return refusal("'on' must be one of \(SandboxEndpoint.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        let times = body["times"]?.integer ?? 1
        await books.failNext(fault, times: times, on: endpoint)
        return Answer(
            body: ["fault": .string(fault.rawValue), "on": .string(endpoint.rawValue), "times": .integer(times)]
        ).response
    }

    private func body(of request: Request) async throws -> JSONValue {
        let buffer = try await request.body.collect(upTo: maximumBodyBytes)
        return (try? JSONDecoder().decode(JSONValue.self, from: Data(buffer.readableBytesView))) ?? [:]
    }

    private func refusals(_ act: () async throws -> Response) async throws -> Response {
        do {
            return try await act()
        } catch let error as SandboxError {
            return refusal(error.description)
        }
    }

    private func refusal(_ message: String) -> Response {
        Answer(status: 400, body: ["error": ["code": "sandbox_refused", "message": .string(message)]]).response
    }

    private func json(_ value: some Encodable) throws -> Response {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
        return Response(
            status: .ok, headers: [.contentType: "application/json"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: try encoder.encode(value))))
    }
}
