import RivyaClient

/// What to do with a task whose create request failed. A rule of its own, so that it is tested without a provider.
enum CreationVerdict: Equatable {
    /// The provider surely took nothing, and may take it later: the same request again.
    case sendAgain
    /// The provider said no for good before it took credits: the hold is released.
    case reject
    /// Whether the provider has the task is not known: the hold stays, the same request again with the same key.
    case doubt
    /// The same, and the same request would not help: a person decides.
    case review
    /// The API key is refused, which is no fault of the task: it waits for a new key.
    case keyRefused

    /// - Parameter isInDoubt: Whether an earlier request for the task may have been taken. What the provider says now
    ///   is then no word on that one, so nothing but an acceptance ends the doubt.
    init(_ error: RivyaError, isInDoubt: Bool) {
        let verdict = CreationVerdict(error)
        self = isInDoubt && (verdict == .sendAgain || verdict == .reject) ? .doubt : verdict
    }

    private init(_ error: RivyaError) {
        guard !error.isKeyRefused else {
            self = .keyRefused
            return
        }
        switch error.failure {
        case .refused(.idempotencyConflict): self = .review
        case .notSent: self = .sendAgain
        case .noAnswer, .timedOut, .unreadableAnswer, .cancelled: self = .doubt
        case .refused, .contractViolation, .missingAPIKey:
            self = error.creationOutcome == .unknown ? .doubt : error.isTransient ? .sendAgain : .reject
        }
    }
}
