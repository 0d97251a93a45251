import NIOCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// The port a server has been given, for those who wait for it.
actor BoundPort {
    private var outcome: Result<Int, SandboxError>?
    private var waiters: [AsyncStream<Void>.Continuation] = []

    /// Tells those who wait; only the first outcome counts.
    func resolve(_ outcome: Result<Int, SandboxError>) {
        guard self.outcome == nil else { return }
        self.outcome = outcome
        for waiter in waiters { waiter.finish() }
        waiters = []
    }

    /// Waits for the outcome.
    ///
    /// - Throws: The ``SandboxError`` of a failed start, or `CancellationError`.
    func wait() async throws -> Int {
        if outcome == nil {
            let (stream, continuation) = AsyncStream<Void>.makeStream()
            waiters.append(continuation)
            for await _ in stream {}
        }
        guard let outcome else { throw CancellationError() }
        return try outcome.get()
    }
}

extension SandboxError {
    /// What the system's refusal to listen means; nil if the error is another one.
    init?(startFailure error: any Error, port: Int) {
        guard let error = error as? IOError else { return nil }
        self = error.errnoCode == EADDRINUSE ? .portInUse(port) : .cannotStart(error.description)
    }
}
