/// How often and how soon a failed attempt is made again.
public struct RetryPolicy: Sendable, Equatable {
    /// The most attempts in all, the first included; at least 1.
    public var maximumAttempts: Int
    /// The longest wait after the first attempt; it doubles with each further one.
    public var baseDelay: Duration
    /// The longest wait the policy chooses by itself.
    public var maximumDelay: Duration
    /// The longest `Retry-After` that is waited out. A longer one ends the attempts, and the error carries it.
    public var maximumRetryAfter: Duration

    /// A policy of one's own.
    public init(
        maximumAttempts: Int, baseDelay: Duration, maximumDelay: Duration, maximumRetryAfter: Duration
    ) {
        self.maximumAttempts = maximumAttempts
        self.baseDelay = baseDelay
        self.maximumDelay = maximumDelay
        self.maximumRetryAfter = maximumRetryAfter
    }

    /// Four attempts within some seconds; up to a minute if the provider asks for it.
    public static let standard = RetryPolicy(
        maximumAttempts: 4, baseDelay: .milliseconds(250), maximumDelay: .seconds(10), maximumRetryAfter: .seconds(60))

    /// One attempt.
    public static let never = RetryPolicy(
        maximumAttempts: 1, baseDelay: .zero, maximumDelay: .zero, maximumRetryAfter: .zero)

    /// The wait after the n-th attempt: anything from nothing to the doubled delay (full jitter), so that callers
    /// that failed together do not come back together.
    ///
    /// - Parameters:
    ///   - attempt: 1 for the first.
    ///   - retryAfter: What the provider asked for; the wait is at least this, up to ``maximumRetryAfter``.
    public func delay(
        afterAttempt attempt: Int, retryAfter: Duration?, using generator: inout some RandomNumberGenerator
    ) -> Duration {
        let doublings = min(max(attempt, 1) - 1, 30)
        let ceiling = max(min(maximumDelay, baseDelay * (1 << doublings)), .zero)
        // A wait is bounded by a day, so nanoseconds fit.
        let nanoseconds = Int64(min(ceiling, .seconds(86_400)) / .nanoseconds(1))
        let jittered = Duration.nanoseconds(Int64.random(in: 0...nanoseconds, using: &generator))
        guard let retryAfter else { return jittered }
        return max(jittered, min(retryAfter, maximumRetryAfter))
    }
}
