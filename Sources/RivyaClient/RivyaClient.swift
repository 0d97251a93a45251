import Logging
import NIOHTTP1

/// A client for the provider's public API v1.
///
/// It checks a request against the model's contract before anything is sent, repeats an attempt only where that can
/// help and only with the same bytes under the same key, and says of every failed create what it means for the
/// credits. Copies share connections and the limit on concurrent requests.
public struct RivyaClient: Sendable {
    private static let maximumModelListBytes = 16 * 1_048_576

    private let configuration: RivyaConfiguration
    private let transport: Transport
    private let gate: RequestGate
    private let reader: AnswerReader
    private let logger: Logger

    /// A client with connections of its own; end it with ``shutdown()``.
    public init(_ configuration: RivyaConfiguration, logger: Logger) {
        self.configuration = configuration
        self.logger = logger
        transport = Transport(configuration)
        gate = RequestGate(limit: configuration.maximumConcurrentRequests)
        reader = AnswerReader(redaction: Redaction(key: configuration.apiKey))
    }

    /// Submits a request that was encoded, checked and stored before.
    ///
    /// Every attempt sends these bytes under this key.
    ///
    /// - Parameters:
    ///   - body: What ``GenerationRequest/encoded()`` gave.
    ///   - idempotencyKey: One per piece of work, visible ASCII, at most 255 characters; never used for other bytes.
    /// - Throws: ``RivyaError``; its ``RivyaError/creationOutcome`` says whether credits may have been taken.
    public func createGeneration(
        body: [UInt8], idempotencyKey: String
    ) async throws(RivyaError) -> Generation {
        guard (1...255).contains(idempotencyKey.utf8.count),
            idempotencyKey.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
        else {
            throw notSent(
                ContractViolation(
                    field: "Idempotency-Key", value: "\"\(ContractViolation.shortened(idempotencyKey))\"",
                    rule: "it takes 1 to 255 visible ASCII characters"))
        }
        guard (1...GenerationRequest.maximumEncodedBytes).contains(body.count) else {
            throw notSent(
                ContractViolation(
                    field: "request", verb: "has", value: "\(body.count) bytes",
                    rule: "1 to \(GenerationRequest.maximumEncodedBytes) are sent"))
        }
        let request = OutgoingRequest(
            method: .POST, path: "/api/v1/generations",
            headers: [("Content-Type", "application/json"), ("Idempotency-Key", idempotencyKey)],
            body: RequestBody([.bytes(body)]), timeout: configuration.requestTimeout)
        return try await perform(request, reading: reader.generation)
    }

    /// Checks, encodes and submits a request.
    ///
    /// - Throws: ``RivyaError``, with ``RivyaError/Failure/contractViolation(_:)`` if nothing was sent because the
    ///   request breaks its model's contract.
    public func createGeneration(
        _ request: GenerationRequest, idempotencyKey: String
    ) async throws(RivyaError) -> Generation {
        do {
            try request.validate()
        } catch {
            throw notSent(error)
        }
        return try await createGeneration(body: request.encoded(), idempotencyKey: idempotencyKey)
    }

    /// Asks how far a task is.
    public func generation(id: String) async throws(RivyaError) -> Generation {
        // Dots would climb out of the path even when encoded.
        guard (1...512).contains(id.utf8.count), id != ".", id != ".." else {
            throw notSent(
                ContractViolation(
                    field: "task id", value: "\"\(ContractViolation.shortened(id))\"",
                    rule: "it takes the id that the provider gave the task"))
        }
        let request = OutgoingRequest(
            method: .GET, path: "/api/v1/generations/\(Self.percentEncoded(id))", timeout: configuration.requestTimeout,
            mayShareConnection: true)
        return try await perform(request) { answer throws(AnswerProblem) in
            let generation = try reader.generation(answer)
            guard generation.id == id else { throw AnswerProblem(message: "the answer is about another task") }
            return generation
        }
    }

    /// Asks for the wallet's balance.
    public func credits() async throws(RivyaError) -> Int64 {
        let request = OutgoingRequest(method: .GET, path: "/api/v1/credits", timeout: configuration.requestTimeout)
        return try await perform(request, reading: reader.credits)
    }

    /// Uploads an image for use as a reference, streamed from disk; no credits are involved.
    ///
    /// - Parameters:
    ///   - model: The model it is for, so that its own limits are checked, here and by the provider.
    ///   - clientRequestID: The caller's own trace id, at most 128 characters.
    public func upload(
        _ file: ReferenceFile, model: String? = nil, clientRequestID: String? = nil
    ) async throws(RivyaError) -> UploadedFile {
        var form = MultipartForm()
        let source: OpenFile
        do {
            if let clientRequestID { try GenerationRequest.validate(clientRequestID: clientRequestID) }
            source = try file.opened(for: model)
        } catch {
            throw notSent(error)
        }
        form.field("kind", file.kind)
        if let model { form.field("model", model) }
        if let clientRequestID { form.field("client_request_id", clientRequestID) }
        let request = OutgoingRequest(
            method: .POST, path: "/api/v1/files", headers: [("Content-Type", form.contentType)],
            body: form.body(file: source, name: file.name, contentType: file.contentType),
            timeout: configuration.uploadTimeout)
        return try await perform(request, reading: reader.uploadedFile)
    }

    /// Lists the provider's models, those that cannot be called included; needs no key, and sends none.
    public func models() async throws(RivyaError) -> [Model] {
        let request = OutgoingRequest(
            method: .GET, path: "/api/v1/models", timeout: configuration.requestTimeout,
            maximumAnswerBytes: Self.maximumModelListBytes, sendsKey: false)
        let (models, unreadable) = try await perform(request, reading: reader.models)
        if unreadable > 0 {
            logger.warning("models without an id left out", metadata: ["model.count": "\(unreadable)"])
        }
        return models
    }

    /// Closes the connections; requests under way and later ones fail as cancelled.
    public func shutdown() async {
        await transport.shutdown()
    }

    /// Makes attempts until one succeeds, none can help, or the policy ends them.
    private func perform<Value: Sendable>(
        _ request: OutgoingRequest, reading read: (Answer) throws(AnswerProblem) -> Value
    ) async throws(RivyaError) -> Value {
        guard !request.sendsKey || configuration.apiKey != nil else {
            throw RivyaError(failure: .missingAPIKey, message: "set the API key first", attempts: 0)
        }
        var generator = SystemRandomNumberGenerator()
        var mayHaveBeenTaken = false
        var attempt = 0
        while true {
            attempt += 1
            let error: RivyaError
            // Waiting for the next attempt must not keep others out, so each one queues anew.
            switch await gate.run({ await transport.attempt(request) }) {
            case nil:
                error = RivyaError(
                    failure: .cancelled, message: "the caller gave up in line", creationOutcome: .notTaken)
                attempt -= 1
            case .failure(let failure): error = failure
            case .success(let answer):
                switch outcome(of: answer, reading: read) {
                case .success(let value): return value
                case .failure(let failure): error = failure
                }
            }
            mayHaveBeenTaken = mayHaveBeenTaken || error.creationOutcome == .unknown
            let final = error.after(attempts: attempt, mayHaveBeenTaken: mayHaveBeenTaken)
            guard error.isTransient, attempt < configuration.retry.maximumAttempts,
                (error.retryAfter ?? .zero) <= configuration.retry.maximumRetryAfter
            else { throw final }
            let delay = configuration.retry.delay(
                afterAttempt: attempt, retryAfter: error.retryAfter, using: &generator)
            logger.info(
                "provider request repeated",
                metadata: [
                    "attempt": "\(attempt)", "delay": "\(delay)", "error": "\(error)", "path": "\(request.path)",
                ])
            do {
                try await Task.sleep(for: delay)
            } catch {
                throw RivyaError(
                    failure: .cancelled, message: "the caller gave up between attempts", attempts: attempt,
                    creationOutcome: mayHaveBeenTaken ? .unknown : .notTaken)
            }
        }
    }

    private func outcome<Value>(
        of answer: Answer, reading read: (Answer) throws(AnswerProblem) -> Value
    ) -> Result<Value, RivyaError> {
        switch answer.status {
        case 200...299:
            do {
                return .success(try read(answer))
            } catch {
                return .failure(
                    RivyaError(failure: .unreadableAnswer, httpStatus: answer.status, message: error.message))
            }
        case 300...399:
            return .failure(
                RivyaError(
                    failure: .unreadableAnswer, httpStatus: answer.status,
                    message: "redirects are not followed; check the base URL"))
        default: return .failure(reader.refusal(answer))
        }
    }

    private func notSent(_ violation: ContractViolation) -> RivyaError {
        RivyaError(failure: .contractViolation(violation), message: violation.description, attempts: 0)
    }

    private static func percentEncoded(_ text: String) -> String {
        var encoded = ""
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                encoded.append(Character(Unicode.Scalar(byte)))
            default: encoded += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }
        return encoded
    }
}

extension RivyaClient: CustomStringConvertible, CustomReflectable {
    /// The address it speaks to.
    public var description: String { "RivyaClient(\(configuration.baseURL))" }

    /// A mirror without children: requests under way, which a dump would reach, hold the key.
    public var customMirror: Mirror { Mirror(self, children: [:]) }
}

extension RivyaError {
    /// The error of the last attempt, as the error of them all.
    fileprivate func after(attempts: Int, mayHaveBeenTaken: Bool) -> RivyaError {
        RivyaError(
            failure: failure, httpStatus: httpStatus, requestID: requestID, message: message, retryAfter: retryAfter,
            attempts: attempts, creationOutcome: mayHaveBeenTaken ? .unknown : creationOutcome)
    }
}
