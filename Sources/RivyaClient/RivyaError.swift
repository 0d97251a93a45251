/// What a failed create means for the wallet's credits.
public enum CreationOutcome: Equatable, Sendable {
    /// The provider said no before it took credits, or the request never reached it.
    case notTaken
    /// The provider may have taken the task and its credits; only its own word ends the hold.
    case unknown
}

/// Why a request did not succeed; safe to print and log.
public struct RivyaError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What kind of failure it was.
    public enum Failure: Equatable, Sendable {
        /// The provider answered with a readable error.
        case refused(ErrorCode)
        /// The connection was lost after bytes may have been sent.
        case noAnswer
        /// The connection could not be opened (refused, name unknown, TLS), so nothing was sent.
        case notSent
        /// The answer was not complete in time.
        case timedOut
        /// There was an answer, but not one that the documentation allows.
        case unreadableAnswer
        /// The request breaks the model's contract; nothing was sent.
        case contractViolation(ContractViolation)
        /// There is no key; nothing was sent.
        case missingAPIKey
        /// The caller gave up, or the client was shut down.
        case cancelled
    }

    /// What kind of failure the last attempt was.
    public let failure: Failure
    /// The HTTP status of the last answer, if there was one.
    public let httpStatus: Int?
    /// The provider's id of the request, for its support.
    public let requestID: String?
    /// What happened, at most 500 characters, never holding a key.
    public let message: String
    /// How long the provider asked to wait, at most a day.
    public let retryAfter: Duration?
    /// How many attempts were made; 0 if the request was refused before the first.
    public let attempts: Int
    /// What it means for the credits if the request was a create.
    ///
    /// It covers every attempt of this call: once one of them may have been taken, a later refusal does not undo it.
    public let creationOutcome: CreationOutcome

    /// An error; without an outcome, the one that follows from the failure alone.
    public init(
        failure: Failure, httpStatus: Int? = nil, requestID: String? = nil, message: String = "",
        retryAfter: Duration? = nil, attempts: Int = 1, creationOutcome: CreationOutcome? = nil
    ) {
        self.failure = failure
        self.httpStatus = httpStatus
        self.requestID = requestID
        self.message = message.count > 500 ? String(message.prefix(499)) + "…" : message
        self.retryAfter = retryAfter
        self.attempts = attempts
        self.creationOutcome = creationOutcome ?? Self.outcome(of: failure, httpStatus: httpStatus)
    }

    /// Whether the same request may succeed later.
    public var isTransient: Bool {
        switch failure {
        case .refused(.publicAPIDisabled), .refused(.rateLimited), .noAnswer, .notSent, .timedOut: true
        case .refused(.unknown): Self.isTransient(httpStatus)
        // A success that cannot be read may be readable when asked for again; a page of a gateway in between too.
        case .unreadableAnswer: httpStatus.map { (200...299).contains($0) || Self.isTransient($0) } ?? true
        case .refused, .contractViolation, .missingAPIKey, .cancelled: false
        }
    }

    /// One sentence for people.
    public var description: String {
        var text =
            switch failure {
            case .refused(let code): "the provider refused with \(code.rawValue)"
            case .noAnswer: "the connection was lost before the answer was complete"
            case .notSent: "the provider could not be reached"
            case .timedOut: "the provider did not answer in time"
            case .unreadableAnswer: "the provider's answer cannot be read"
            case .contractViolation: "the request was not sent"
            case .missingAPIKey: "there is no API key"
            case .cancelled: "the request was cancelled"
            }
        if !message.isEmpty { text += ": \(message)" }
        var details: [String] = []
        if let httpStatus { details.append("HTTP \(httpStatus)") }
        if let requestID { details.append("request \(requestID)") }
        if attempts > 1 { details.append("\(attempts) attempts") }
        return details.isEmpty ? text : "\(text) (\(details.joined(separator: ", ")))"
    }

    private static func isTransient(_ httpStatus: Int?) -> Bool {
        guard let httpStatus else { return false }
        return httpStatus >= 500 || [408, 425, 429].contains(httpStatus)
    }

    private static func outcome(of failure: Failure, httpStatus: Int?) -> CreationOutcome {
        switch failure {
        case .refused(.idempotencyConflict), .refused(.generationFailed): .unknown
        // A code we do not know says no only with a status that says so too; a 5xx does not.
        case .refused(.unknown):
            [400, 401, 402, 403, 404, 413, 415, 422, 429].contains(httpStatus) ? .notTaken : .unknown
        case .refused, .notSent, .contractViolation, .missingAPIKey: .notTaken
        case .noAnswer, .timedOut, .unreadableAnswer, .cancelled: .unknown
        }
    }
}

extension RivyaError {
    /// Whether the API key is missing, refused, or lacks the scope: no fault of the request, and every other fails too.
    public var isKeyRefused: Bool {
        switch failure {
        case .missingAPIKey, .refused(.apiKeyMissing), .refused(.apiKeyInvalid), .refused(.apiKeyRevoked),
            .refused(.apiKeyExpired), .refused(.apiScopeDenied):
            true
        default: false
        }
    }

    /// The provider's code, or our word where it gave none.
    public var code: String {
        switch failure {
        case .refused(let code): code.rawValue
        case .noAnswer: "no_answer"
        case .notSent: "not_sent"
        case .timedOut: "timed_out"
        case .unreadableAnswer: "unreadable_answer"
        case .contractViolation: "contract_violation"
        case .missingAPIKey: "api_key_missing"
        case .cancelled: "cancelled"
        }
    }
}
