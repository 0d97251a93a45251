#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// A task at the provider, as it was when the provider answered.
public struct Generation: Sendable, Equatable {
    /// The provider's id of the task; opaque.
    public let id: String
    /// How far the task is.
    public let status: GenerationStatus
    /// The model that runs it.
    public let model: String?
    /// The credits taken at submission; binds the hold.
    public let reservedCredits: Int64?
    /// The credits the task cost. Nothing means not settled; a zero means free only once ``status`` is terminal.
    public let finalCredits: Int64?
    /// When the provider took the task.
    public let createdAt: Date?
    /// When the provider last changed it.
    public let updatedAt: Date?
    /// Where the results are, the primary one first.
    public let resultURLs: [String]
    /// Why it failed, if the provider says so.
    public let error: GenerationError?

    /// A task put together by hand, for tests and stand-ins.
    public init(
        id: String, status: GenerationStatus, model: String? = nil, reservedCredits: Int64? = nil,
        finalCredits: Int64? = nil, createdAt: Date? = nil, updatedAt: Date? = nil, resultURLs: [String] = [],
        error: GenerationError? = nil
    ) {
        self.id = id
        self.status = status
        self.model = model
        self.reservedCredits = reservedCredits
        self.finalCredits = finalCredits
        self.createdAt = createdAt
        self.updatedAt = updatedAt
        self.resultURLs = resultURLs
        self.error = error
    }
}

/// Why a task failed.
public struct GenerationError: Sendable, Equatable {
    /// The provider's code.
    public let code: ErrorCode
    /// The provider's words, for people: bounded and safe to log.
    public let message: String

    /// An error put together by hand, for tests and stand-ins.
    public init(code: ErrorCode, message: String) {
        self.code = code
        self.message = message
    }
}

/// How far a task is.
public enum GenerationStatus: Equatable, Hashable, Sendable {
    /// Accepted, not started.
    case queued
    /// Running.
    case processing
    /// Done, with a result.
    case succeeded
    /// Ended without a result.
    case failed
    /// A status that is not documented; taken as not ended.
    case unknown(String)

    /// The status for the provider's word; never fails.
    public init(rawValue: String) {
        self =
            switch rawValue {
            case "queued": .queued
            case "processing": .processing
            case "succeeded": .succeeded
            case "failed": .failed
            default: .unknown(rawValue)
            }
    }

    /// The status as the provider writes it.
    public var rawValue: String {
        switch self {
        case .queued: "queued"
        case .processing: "processing"
        case .succeeded: "succeeded"
        case .failed: "failed"
        case .unknown(let status): status
        }
    }

    /// Whether the task has ended, so that its credits are final.
    public var isTerminal: Bool { self == .succeeded || self == .failed }
}
