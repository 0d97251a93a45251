import CLibpq
import Logging

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// One connection of libpq, used by one thread at a time.
///
/// Every wait is a `poll` on the socket and on a pipe, and so ends at a deadline or when the task is cancelled.
final class Session {
    let connection: OpaquePointer
    private let wake: WakePipe
    private let grace: Duration
    /// How long a statement may run; zero without end.
    var statementTimeout: Duration
    /// Whether the connection can no longer be used.
    private(set) var isBroken = false
    /// The channels that are listened to.
    var channels: Set<String> = []
    var statements = StatementCache()
    private var watch = Watch()
    // Set by the notice receiver: the server has said goodbye to an idle connection.
    private var wasDismissed = false

    /// What is being waited for.
    private struct Watch {
        var since = ContinuousClock.now
        var deadline: ContinuousClock.Instant?
        // The longest that an answer took to come.
        var longestWait = Duration.zero
        var heedsCancellation = false
        var mayCancel = true
        var request: CancelRequest?
        var cause: PostgresError?
        var giveUpAt: ContinuousClock.Instant?
    }

    /// Takes over an open connection.
    init(_ connection: OpaquePointer, wake: WakePipe, configuration: PostgresConfiguration) {
        self.connection = connection
        self.wake = wake
        grace = configuration.grace
        statementTimeout = configuration.statementTimeout
        // Notices may quote values and must not reach stderr; only a farewell matters.
        let receiver: PQnoticeReceiver = { context, result in
            guard let context, let result else { return }
            // After a crash of another process, and at an immediate shutdown, it is only a warning, of class 57P.
            let isFarewell =
                ServerError.field("V", of: result) == "FATAL"
                || ServerError.field("C", of: result)?.hasPrefix("57P") == true
            guard isFarewell else { return }
            Unmanaged<Session>.fromOpaque(context).takeUnretainedValue().wasDismissed = true
        }
        PQsetNoticeReceiver(connection, receiver, Unmanaged.passUnretained(self).toOpaque())
    }

    deinit {
        PQfinish(connection)
    }

    /// Whether the server still holds its end, seen without waiting.
    func isAlive() -> Bool {
        guard !isBroken else { return false }
        var descriptor = pollfd(fd: PQsocket(connection), events: Int16(POLLIN), revents: 0)
        guard poll(&descriptor, 1, 0) != 0 else { return true }
        if PQconsumeInput(connection) == 0 || wasDismissed || PQstatus(connection) != CONNECTION_OK { isBroken = true }
        // Parsing happens here: a farewell is read as a notice.
        _ = PQisBusy(connection)
        if wasDismissed { isBroken = true }
        return !isBroken
    }

    /// Whether nothing is left open on the server.
    var isIdle: Bool { !isBroken && PQtransactionStatus(connection) == PQTRANS_IDLE }

    /// Marks the connection as lost.
    func abandon() {
        isBroken = true
    }

    // MARK: Watching

    /// Starts the clock of a statement.
    ///
    /// - Parameters:
    ///   - heedsCancellation: Whether cancelling the task cancels the statement; a commit runs to its end.
    ///   - mayCancel: Whether the server may be asked to stop; otherwise the connection is given up at the deadline.
    func beginWatch(heedsCancellation: Bool, mayCancel: Bool = true) throws(PostgresError) {
        if heedsCancellation && Task.isCancelled {
            throw PostgresError(reason: .cancelled, message: "the task was cancelled; nothing was sent")
        }
        watch = Watch(heedsCancellation: heedsCancellation, mayCancel: mayCancel)
        progress()
    }

    /// Starts the clock anew, because the server has answered something.
    func progress() {
        let now = ContinuousClock.now
        watch.longestWait = max(watch.longestWait, now - watch.since)
        watch.since = now
        guard watch.request == nil else { return }
        watch.deadline = statementTimeout == .zero ? nil : now + statementTimeout + grace
    }

    /// Ends the watch; a cancel request that is under way is waited for, so that it cannot hit the next statement.
    func endWatch() {
        guard let request = watch.request else { return }
        while !request.isFinished && !isBroken {
            do throws(PostgresError) { try wait(forSocket: 0) } catch { break }
        }
        watch.request = nil
    }

    /// Asks the server to stop, and remembers why.
    func requestCancel(_ cause: PostgresError) {
        guard watch.request == nil, !isBroken else { return }
        watch.cause = cause
        watch.giveUpAt = .now + grace
        watch.request = CancelRequest(connection, wake: wake)
    }

    /// The error to report for what the server answered: its own, or the reason why it was asked to stop.
    func explain(_ answer: ServerError) -> PostgresError {
        if answer.sqlState == "57014" {
            if let cause = watch.cause {
                return PostgresError(reason: cause.reason, sqlState: "57014", message: cause.message)
            }
            // The server's clock may be ahead of ours by what it takes to notice; and where we never cancel, in pipelines, by much
            // more, as the one behind begins before anybody here waits for it.
            let least = watch.mayCancel ? statementTimeout - .milliseconds(5) : statementTimeout / 2
            let ranOut = statementTimeout > .zero && watch.longestWait >= least
            return ranOut
                ? PostgresError(
                    reason: .timeout, sqlState: "57014", message: "the statement ran longer than it may")
                : PostgresError(
                    reason: .cancelled, sqlState: "57014", message: "the statement was cancelled on the server")
        }
        // 25P03 and 25P04 also end the session, as all of these do.
        let endsSession = answer.sqlState.hasPrefix("57P") || PQstatus(connection) == CONNECTION_BAD
        guard endsSession else { return answer.asError }
        isBroken = true
        return PostgresError(reason: .connection, sqlState: answer.sqlState, message: answer.message)
    }

    /// Waits until the socket is ready or the thread is woken, and takes in what has arrived.
    func waitForServer() throws(PostgresError) {
        let pending = PQflush(connection)
        guard pending >= 0 else { throw lost() }
        try takeIn(after: Int16(POLLIN) | (pending == 1 ? Int16(POLLOUT) : 0))
    }

    private func takeIn(after events: Int16) throws(PostgresError) {
        try wait(forSocket: events)
        // The caller reads what had arrived before the connection broke; it may hold the reason.
        if PQconsumeInput(connection) == 0 { isBroken = true }
    }

    /// Waits until all that was queued has been handed to the system.
    func flush() throws(PostgresError) {
        while true {
            let pending = PQflush(connection)
            guard pending >= 0, !isBroken else { throw lost() }
            if pending == 0 { return }
            // Not waitForServer: it may find all handed over, and would then wait for an answer that nobody owes.
            try takeIn(after: Int16(POLLIN) | Int16(POLLOUT))
        }
    }

    /// Waits for a notification to arrive, until a deadline.
    ///
    /// - Returns: Whether something arrived.
    func waitForNotification(until deadline: ContinuousClock.Instant) throws(PostgresError) -> Bool {
        while true {
            if Task.isCancelled {
                throw PostgresError(reason: .cancelled, message: "the task was cancelled while it listened")
            }
            let remaining = deadline - .now
            guard remaining > .zero else { return false }
            if pollOnce(events: Int16(POLLIN), timeout: remaining) {
                if PQconsumeInput(connection) == 0 { throw lost() }
                return true
            }
        }
    }

    /// The connection has broken; what the server made of the statement is not known.
    func lost() -> PostgresError {
        isBroken = true
        return watch.cause
            ?? PostgresError(reason: .connection, message: "the connection to PostgreSQL was lost")
    }

    /// Waits until the thread is woken.
    ///
    /// - Returns: Whether it was.
    func waitToBeWoken(atMost limit: Duration) -> Bool {
        var descriptor = pollfd(fd: wake.readEnd, events: Int16(POLLIN), revents: 0)
        guard poll(&descriptor, 1, Int32(clamping: limit.wholeMilliseconds)) > 0 else { return false }
        wake.drain()
        return true
    }

    // Waits for events on the socket, or to be woken.
    private func wait(forSocket events: Int16) throws(PostgresError) {
        let now = ContinuousClock.now
        if watch.request != nil {
            if let giveUpAt = watch.giveUpAt, now >= giveUpAt { throw lost() }
        } else if watch.heedsCancellation && Task.isCancelled {
            requestCancel(PostgresError(reason: .cancelled, message: "the task was cancelled"))
        } else if let deadline = watch.deadline, now >= deadline {
            let cause = PostgresError(
                reason: .timeout, message: "PostgreSQL did not answer in time; the statement was given up")
            guard watch.mayCancel else {
                watch.cause = cause
                throw lost()
            }
            requestCancel(cause)
        }
        let limit = watch.request == nil ? watch.deadline : watch.giveUpAt
        _ = pollOnce(events: events, timeout: limit.map { $0 - .now })
    }

    // Whether the socket has one of the events. Returns early, with false, when woken.
    private func pollOnce(events: Int16, timeout: Duration?) -> Bool {
        var descriptors = [
            pollfd(fd: wake.readEnd, events: Int16(POLLIN), revents: 0),
            pollfd(fd: events == 0 ? -1 : PQsocket(connection), events: events, revents: 0),
        ]
        let milliseconds = timeout.map { Int32(clamping: $0.wholeMilliseconds) } ?? -1
        // An interrupted wait is like a woken one: the caller looks at everything again.
        guard poll(&descriptors, 2, milliseconds) > 0 else { return false }
        if descriptors[0].revents != 0 { wake.drain() }
        return descriptors[1].revents != 0
    }
}
