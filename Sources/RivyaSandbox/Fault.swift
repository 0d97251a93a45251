/// A way in which the sandbox misbehaves, by share of the requests or for the next few.
public enum Fault: String, CaseIterable, Codable, CodingKeyRepresentable, Hashable, Sendable {
    /// HTTP 500 before anything has happened.
    case serverError = "server_error"
    /// HTTP 503 `public_api_disabled` before anything has happened.
    case apiDisabled = "api_disabled"
    /// HTTP 429 `rate_limited` without `Retry-After`, before anything has happened.
    case rateLimited = "rate_limited"
    /// HTTP 429 `rate_limited` with `Retry-After`, before anything has happened.
    case rateLimitedRetryAfter = "rate_limited_retry_after"
    /// The request is carried out, then answered with HTTP 502 and a page of HTML.
    case serverErrorAfter = "server_error_after"
    /// The request is carried out, then the connection closes before any byte of the answer.
    case cut
    /// The request is carried out, then the connection closes in the middle of the answer.
    case cutMidway = "cut_midway"
    /// The request is carried out, and its answer comes ``Faults/slowSeconds`` later.
    case slow
    /// The answer is the right one, broken off inside the JSON, under a success status.
    case brokenJSON = "broken_json"
    /// The answer has fields nobody has heard of, as the provider's compatibility policy allows.
    case unknownFields = "unknown_fields"
    /// The answer's task has no `final_credits`.
    case missingFinalCredits = "missing_final_credits"
    /// The new task will fail, and keep ``Faults/failedWithChargeCredits``.
    case failedWithCharge = "failed_with_charge"
    /// The new task reserves ``Faults/priceDifferenceCredits`` more than the list price.
    case priceDifference = "price_difference"
    /// The request is carried out, then answered with the task of an earlier one, as by a proxy that mixes answers up.
    case answerOfAnother = "answer_of_another"

    /// Whether it shapes the task being made rather than the answer to one request.
    var concernsTask: Bool { self == .failedWithCharge || self == .priceDifference }
}

/// What the faults of a sandbox are: how often each happens, and how hard.
public struct Faults: Codable, Equatable, Sendable {
    /// Decides, with the number of the request, which requests are hit.
    public var seed = 1
    /// How often each fault happens, from 0 (never, also when absent) to 1 (always).
    public var shares: [Fault: Double] = [:]
    /// How much later the answer to a slow request comes.
    public var slowSeconds = 1.0
    /// What `Retry-After` says.
    public var retryAfterSeconds = 1
    /// What a task that fails with a charge keeps, at most what it reserved.
    public var failedWithChargeCredits = 10
    /// How much more than the list price a task with a price difference reserves; may be negative.
    public var priceDifferenceCredits = 3

    /// No faults, or those given.
    public init(_ shares: [Fault: Double] = [:], seed: Int = 1) {
        self.shares = shares
        self.seed = seed
    }

    /// How often a fault happens, from 0 to 1.
    public subscript(_ fault: Fault) -> Double {
        get { shares[fault, default: 0] }
        set { shares[fault] = newValue }
    }

    enum CodingKeys: String, CodingKey, CaseIterable {
        case seed, shares
        case slowSeconds = "slow_seconds"
        case retryAfterSeconds = "retry_after_seconds"
        case failedWithChargeCredits = "failed_with_charge_credits"
        case priceDifferenceCredits = "price_difference_credits"
    }
}

/// A group of requests that faults are counted and ordered for.
public enum SandboxEndpoint: String, CaseIterable, Codable, Hashable, Sendable {
    /// `POST /api/v1/generations`
    case create
    /// `GET /api/v1/generations/{taskId}`
    case status
    /// `GET /api/v1/credits`
    case credits
    /// `POST /api/v1/files`
    case upload
    /// `GET /api/v1/files/{fileId}`
    case file

    /// The scope a key needs for it.
    var scope: String {
        switch self {
        case .create: "generations:create"
        case .status: "generations:read"
        case .credits: "credits:read"
        case .upload: "files:create"
        case .file: "files:read"
        }
    }
}
