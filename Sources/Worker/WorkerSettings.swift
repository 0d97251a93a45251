import RivyaClient

/// How a worker works.
public struct WorkerSettings: Sendable {
    /// The most tasks in hand at once, each of which has one request to the provider at most. The balance is read beside them.
    public var concurrency: Int
    /// How long a worker that went silent keeps its tasks.
    public var lease: Duration
    /// When the provider is asked how tasks stand.
    public var polling: PollSchedule
    /// How long a failed request waits to be repeated. `resendWindow` bounds the attempts of a task in doubt; one that
    /// was surely not taken is sent until it is.
    public var retry: RetryPolicy
    /// How long after the first create request that may have been taken a task is still resent: nothing says how long the provider
    /// remembers an Idempotency-Key. After that a person decides.
    public var resendWindow: Duration
    /// How old a reading of the balance may become.
    public var readingInterval: Duration
    /// When a failed task is read once more, in case the provider changes its `final_credits`.
    public var recheckDelay: Duration
    /// Whether to return once every task has come to an end.
    public var stopsWhenIdle: Bool

    /// Makes settings; what is left out has the default.
    public init(
        concurrency: Int = 16, lease: Duration = .seconds(8), polling: PollSchedule = PollSchedule(),
        retry: RetryPolicy = RetryPolicy(
            maximumAttempts: .max, baseDelay: .seconds(1), maximumDelay: .seconds(60), maximumRetryAfter: .seconds(300)),
        resendWindow: Duration = .seconds(900), readingInterval: Duration = .seconds(60),
        recheckDelay: Duration = .seconds(600), stopsWhenIdle: Bool = false
    ) {
        precondition(concurrency > 0, "a worker has at least one task in hand")
        self.concurrency = concurrency
        self.lease = lease
        self.polling = polling
        self.retry = retry
        self.resendWindow = resendWindow
        self.readingInterval = readingInterval
        self.recheckDelay = recheckDelay
        self.stopsWhenIdle = stopsWhenIdle
    }
}
