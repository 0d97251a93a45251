import HTTPTypes
import Hummingbird
import NIOCore

/// What a handler knows of its request besides the request: the connection, which some faults cut.
struct SandboxContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    let channel: any Channel

    init(source: ApplicationRequestContextSource) {
        coreContext = CoreRequestContextStorage(source: source)
        channel = source.channel
    }
}

/// The provider's documented endpoints.
struct ProviderRoutes: Sendable {
    let books: SandboxBooks
    let heldAnswers: HeldAnswers

    func add(to router: Router<SandboxContext>) {
        let api = router.group("api/v1")
        api.post("generations", use: create)
        api.get("generations/:id") { request, context in
            let id = context.parameters.get("id") ?? ""
            return try await serve(.status, request.headers, context) { opened, wallet throws(ProviderError) in
                Answer(body: try await books.task(id, wallet: wallet))
            }
        }
        api.get("credits") { request, context in
            try await serve(.credits, request.headers, context) { opened, wallet throws(ProviderError) in
                Answer(body: ["current_credits": .integer(await books.balance(wallet: wallet))])
            }
        }
        api.post("files", use: upload)
        api.get("files/:id") { request, context in
            let id = context.parameters.get("id") ?? ""
            return try await serve(.file, request.headers, context) { opened, wallet throws(ProviderError) in
                Answer(body: try await books.file(id, wallet: wallet))
            }
        }
        api.get("models") { _, _ in
            let credits = await books.settings.credits
            let entries = ModelCatalog.all.map { $0.entry(baseCredits: credits[$0.id] ?? $0.baseCredits) }
            return Answer(body: ["object": "list", "data": .array(entries)]).response
        }
    }

    @Sendable private func create(_ request: Request, _ context: SandboxContext) async throws -> Response {
        guard await heldAnswers.isHolding else { return try await create(request.headers, request.body, context) }
        // A held answer must notice its client leaving; Hummingbird then gives the connection up, so we say so.
        do {
            var response = try await request.body.consumeWithCancellationOnInboundClose { body in
                try await create(request.headers, body, context)
            }
            response.headers[.connection] = "close"
            return response
        } catch is CancellationError {
            return try await cut(context)
        }
    }

    private func create(
        _ headers: HTTPFields, _ body: RequestBody, _ context: SandboxContext
    ) async throws -> Response {
        try await serve(.create, headers, context) { opened, wallet throws(ProviderError) in
            guard headers[.contentType]?.lowercased().hasPrefix("application/json") == true else {
                throw .validationFailed("'Content-Type' must be application/json.")
            }
            let bytes = try await collect(body, upTo: opened.settings.maximumBodyBytes)
            let generation = try GenerationRequest(body: bytes, idempotencyKey: headers[.idempotencyKey])
            var task = try await books.submit(generation, faults: opened.faults, wallet: wallet)
            if opened.faults.contains(.answerOfAnother), let id = task["id"]?.string {
                task = await books.taskBefore(id, wallet: wallet) ?? task
            }
            return Answer(status: opened.settings.createdStatus, body: task)
        }
    }

    @Sendable private func upload(_ request: Request, _ context: SandboxContext) async throws -> Response {
        try await serve(.upload, request.headers, context) { opened, wallet throws(ProviderError) in
            // The largest file any model takes is a video of ten times the usual; the fields around it are small.
            let maximumBytes = opened.settings.maximumFileBytes
            let bytes = try await collect(request.body, upTo: maximumBytes * 10 + 64 * 1024)
            let fields = try MultipartForm.fields(of: bytes, contentType: request.headers[.contentType])
            let upload = try FileUpload(fields: fields, maximumBytes: maximumBytes)
            return Answer(body: try await books.store(upload, wallet: wallet))
        }
    }

    private func collect(_ body: RequestBody, upTo maximumBytes: Int) async throws(ProviderError) -> [UInt8] {
        do {
            return Array(buffer: try await body.collect(upTo: maximumBytes))
        } catch {
            throw .validationFailed("The body is larger than \(maximumBytes) bytes, or broke off.")
        }
    }

    /// Carries a request out with the faults that are its lot.
    private func serve(
        _ endpoint: SandboxEndpoint, _ headers: HTTPFields, _ context: SandboxContext,
        _ act: (SandboxBooks.OpenedRequest, Int) async throws(ProviderError) -> Answer
    ) async throws -> Response {
        books.requestsUnderWay.begin()
        defer { books.requestsUnderWay.end() }
        let opened = await books.open(endpoint, authorization: headers[.authorization])
        if let early = opened.faults.lazy.compactMap({ $0.earlyError(opened.settings.faults) }).first {
            return early.answer(requestID: opened.id).response
        }
        var answer: Answer
        do throws(ProviderError) {
            answer = try await act(opened, try opened.access.get())
            if endpoint == .create { await heldAnswers.pass() }
        } catch {
            answer = error.answer(requestID: opened.id)
        }
        if opened.faults.contains(.slow) { try await Task.sleep(for: .seconds(opened.settings.faults.slowSeconds)) }
        if opened.faults.contains(.unknownFields) { answer.body.addUnknownFields() }
        if opened.faults.contains(.missingFinalCredits) { answer.body = answer.body.without("final_credits") }
        for fault in opened.faults {
            switch fault {
            case .cut: return try await cut(context)
            case .serverErrorAfter: return .badGateway
            case .cutMidway: return answer.response(cutMidwayOf: context.channel)
            case .brokenJSON: return answer.brokenResponse
            default: continue
            }
        }
        return answer.response
    }

    /// Closes the connection; the response that a handler must return goes nowhere.
    private func cut(_ context: SandboxContext) async throws -> Response {
        try? await context.channel.close()
        return Response(status: .internalServerError)
    }
}

extension Fault {
    /// The error of a fault that hits before anything happens.
    fileprivate func earlyError(_ faults: Faults) -> ProviderError? {
        switch self {
        case .serverError: .serverError
        case .apiDisabled: .disabled
        case .rateLimited: .rateLimited(retryAfterSeconds: nil)
        case .rateLimitedRetryAfter: .rateLimited(retryAfterSeconds: faults.retryAfterSeconds)
        default: nil
        }
    }
}

extension JSONValue {
    /// Fields such as the provider may add without a new version, at the top and in the result.
    fileprivate mutating func addUnknownFields() {
        guard var members else { return }
        if let result = members.firstIndex(where: { $0.name == "result" }), members[result].value != .null {
            let more: JSONValue = ["thumbnail_url": "https://results.rivya-sandbox.invalid/thumbnail.jpg"]
            members[result].value = members[result].value.merged(with: more)
        }
        members.insert(Member(name: "queue_position", value: 3), at: 0)
        members.append(Member(name: "provider_notes", value: ["tier": "new", "flags": .array([.bool(true), .null])]))
        self = .object(members)
    }

    fileprivate func without(_ name: String) -> JSONValue {
        members.map { .object($0.filter { $0.name != name }) } ?? self
    }
}
