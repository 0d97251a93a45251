/// An error of the provider's documented list, as a client gets it.
struct ProviderError: Error, Equatable {
    let status: Int
    let code: String
    let message: String
    var retryAfterSeconds: Int?

    static func validationFailed(_ message: String) -> Self {
        Self(status: 400, code: "validation_failed", message: message)
    }

    static let keyMissing = Self(status: 401, code: "api_key_missing", message: "A valid Bearer API key is required.")
    static let keyInvalid = Self(status: 401, code: "api_key_invalid", message: "The API key cannot be verified.")
    static let keyRevoked = Self(status: 401, code: "api_key_revoked", message: "The API key was revoked.")
    static let keyExpired = Self(status: 401, code: "api_key_expired", message: "The API key is no longer valid.")
    static let notFound = Self(status: 404, code: "not_found", message: "There is nothing with this id or path.")
    static let disabled = Self(
        status: 503, code: "public_api_disabled", message: "The public API is temporarily disabled.")
    static let full = Self(
        status: 503, code: "public_api_disabled", message: "The sandbox has taken all it can; start a new one.")
    static let idempotencyConflict = Self(
        status: 409, code: "idempotency_conflict", message: "The Idempotency-Key was used with another body.")
    /// The provider documents no code for its own faults; clients must go by the status.
    static let serverError = Self(status: 500, code: "internal_error", message: "Something went wrong on our side.")

    static func scopeDenied(_ scope: String) -> Self {
        Self(status: 403, code: "api_scope_denied", message: "The API key lacks the scope \(scope).")
    }

    static func rateLimited(retryAfterSeconds: Int?) -> Self {
        Self(
            status: 429, code: "rate_limited", message: "Too many requests in the current window.",
            retryAfterSeconds: retryAfterSeconds)
    }

    static func insufficientCredits(status: Int) -> Self {
        Self(status: status, code: "insufficient_credits", message: "The account has too few credits.")
    }

    func answer(requestID: String) -> Answer {
        let body: JSONValue = [
            "error": ["code": .string(code), "message": .string(message), "requestId": .string(requestID)]
        ]
        return Answer(status: status, body: body, retryAfterSeconds: retryAfterSeconds)
    }
}

/// What goes back to the client when nothing interferes.
struct Answer: Sendable {
    var status = 200
    var body: JSONValue
    var retryAfterSeconds: Int?
}
