/// What the provider says went wrong; new codes may come without notice and are kept as they are.
///
/// Source: section 7 of the provider's API reference. The HTTP status decides nothing: for `insufficient_credits`
/// it is not documented.
public enum ErrorCode: Equatable, Hashable, Sendable {
    /// The API is off for now; the same request may succeed later.
    case publicAPIDisabled
    /// Too many requests in the current window; the same request may succeed later.
    case rateLimited
    /// No key was sent.
    case apiKeyMissing
    /// The key cannot be verified.
    case apiKeyInvalid
    /// The key was revoked; a new one is needed.
    case apiKeyRevoked
    /// The key is no longer valid; a new one is needed.
    case apiKeyExpired
    /// The key lacks the scope for this request; a new one with it is needed.
    case apiScopeDenied
    /// Body, model, prompt or parameters are invalid.
    case validationFailed
    /// There is no such task, or it belongs to another account.
    case notFound
    /// The idempotency key conflicts with another request.
    case idempotencyConflict
    /// The account has too few credits.
    case insufficientCredits
    /// The webhook address is not allowed.
    case webhookURLRejected
    /// The model cannot be used for chat.
    case chatModelNotSupported
    /// The chat session cannot be used for this request.
    case chatSessionConflict
    /// The chat attachment is not supported.
    case chatAttachmentNotSupported
    /// The generation failed; a code of tasks, not of requests.
    case generationFailed
    /// A code that is not documented, as the provider wrote it (bounded, and never holding a key).
    case unknown(String)

    /// Every documented code.
    public static let documented: [ErrorCode] = [
        .publicAPIDisabled, .rateLimited, .apiKeyMissing, .apiKeyInvalid, .apiKeyRevoked, .apiKeyExpired,
        .apiScopeDenied, .validationFailed, .notFound, .idempotencyConflict, .insufficientCredits,
        .webhookURLRejected, .chatModelNotSupported, .chatSessionConflict, .chatAttachmentNotSupported,
        .generationFailed,
    ]

    private static let byRawValue = Dictionary(uniqueKeysWithValues: documented.map { ($0.rawValue, $0) })

    /// The code for the provider's word; never fails.
    public init(rawValue: String) {
        self = Self.byRawValue[rawValue] ?? .unknown(rawValue)
    }

    /// The code as the provider writes it.
    public var rawValue: String {
        switch self {
        case .publicAPIDisabled: "public_api_disabled"
        case .rateLimited: "rate_limited"
        case .apiKeyMissing: "api_key_missing"
        case .apiKeyInvalid: "api_key_invalid"
        case .apiKeyRevoked: "api_key_revoked"
        case .apiKeyExpired: "api_key_expired"
        case .apiScopeDenied: "api_scope_denied"
        case .validationFailed: "validation_failed"
        case .notFound: "not_found"
        case .idempotencyConflict: "idempotency_conflict"
        case .insufficientCredits: "insufficient_credits"
        case .webhookURLRejected: "webhook_url_rejected"
        case .chatModelNotSupported: "chat_model_not_supported"
        case .chatSessionConflict: "chat_session_conflict"
        case .chatAttachmentNotSupported: "chat_attachment_not_supported"
        case .generationFailed: "generation_failed"
        case .unknown(let code): code
        }
    }
}
