import CLibpq
import Logging
import Synchronization

/// A connection to PostgreSQL on a thread of its own, lent by a pool.
///
/// It connects when it is first used and again when the server went away in between. Each call is complete in itself:
/// it leaves no transaction open, and cancelling the task cancels the statement on the server.
public actor Connection {
    private let configuration: PostgresConfiguration
    private let logger: Logger
    private let executor = ConnectionExecutor()
    private let wake = WakePipe()
    private var session: Session?
    private let lent = Atomic(false)
    private let unclean = Atomic(false)

    /// The connection's own thread.
    public nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// Makes a connection that is not open yet.
    init(_ configuration: PostgresConfiguration, logger: Logger) {
        self.configuration = configuration
        self.logger = logger
    }

    /// Runs one statement and returns its rows, all of them in memory.
    public func query(
        _ statement: Statement, _ parameters: any PostgresEncodable...
    ) async throws(PostgresError) -> Rows {
        try await query(statement, parameters: parameters)
    }

    /// Runs one statement with values that are already in an array, and returns its rows.
    public func query(
        _ statement: Statement, parameters: [any PostgresEncodable]
    ) async throws(PostgresError) -> Rows {
        let bound = try BoundParameters(parameters)
        return try await onSession { (session) throws(PostgresError) in
            do throws(PostgresError) { return try session.run([(statement, bound)])[0] } catch {
                // Refused before it ran, and no longer cached: a table has changed since the statement was prepared.
                guard error.isStalePlan, session.isIdle else { throw error }
                return try session.run([(statement, bound)])[0]
            }
        }
    }

    /// Runs one statement and returns how many rows it added, changed or deleted.
    @discardableResult
    public func execute(
        _ statement: Statement, _ parameters: any PostgresEncodable...
    ) async throws(PostgresError) -> Int {
        try await query(statement, parameters: parameters).affectedRows
    }

    /// Runs a body in a transaction, and commits unless it or one of its statements fails.
    ///
    /// The body is synchronous, so that nothing else is awaited while rows are locked. A body that runs no statement
    /// opens no transaction.
    ///
    /// - Throws: The body's error, after a rollback. If the connection is lost while committing, the message says that
    ///   the outcome is not known.
    public func transaction<V: Sendable>(
        _ options: TransactionOptions = .init(),
        _ body: @Sendable (Transaction) throws(PostgresError) -> V
    ) async throws(PostgresError) -> V {
        var attempt = 1
        while true {
            do throws(PostgresError) {
                return try await onSession { (session) throws(PostgresError) in
                    try session.transaction(options, body)
                }
            } catch {
                guard error.isLostRace, attempt < options.attempts else { throw error }
            }
            // Those who lost against each other come back apart. A cancelled sleep is seen by the next attempt.
            let most = min(200, 5 << min(attempt, 6))
            try? await Task.sleep(for: .milliseconds(Int.random(in: 1...most)))
            attempt += 1
        }
    }

    /// Runs statements in one transaction and one round trip, and returns the rows of each.
    ///
    /// All of them take effect, or none.
    @discardableResult
    public func pipeline(_ steps: [PipelineStep]) async throws(PostgresError) -> [Rows] {
        try await onSession { (session) throws(PostgresError) in try session.pipeline(steps) }
    }

    /// Runs statements that only read, in one round trip, and returns the rows of each.
    ///
    /// All of them see what was committed before the first one.
    public func snapshot(_ steps: [PipelineStep]) async throws(PostgresError) -> [Rows] {
        try await onSession { (session) throws(PostgresError) in try session.snapshot(steps) }
    }

    /// Runs pipelines in the order in which they are taken, each in a transaction of its own, and sends the next while
    /// one is under way, so that the server does not wait for its client.
    ///
    /// It returns once all that it took are answered and no next one has come for a millisecond, and also after the first
    /// one that failed, or after many, so that others have their turn. Cancelling the task lets it take no more.
    ///
    /// - Parameter next: The next one to be sent, if there is one. It is asked on the connection's thread: at the
    ///   start, after each answer and after ``lookAgain()``, while fewer than three are under way.
    /// - Throws: Why the connection cannot be used; nothing was taken then.
    public func pipelines(_ next: @Sendable () -> Pipeline?) async throws(PostgresError) {
        try await onSession { (session) throws(PostgresError) in
            if let failure = session.pipelines(next), failure.isReadOnly { session.abandon() }
        }
    }

    /// Lets a connection that runs pipelines ask for the next one.
    public nonisolated func lookAgain() {
        wake.signal()
    }

    /// Listens to a channel until the connection is handed back.
    public func listen(to channel: String) async throws(PostgresError) {
        let name =
            "\"" + channel.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
        try await onSession { (session) throws(PostgresError) in
            try session.runScript(Statement("LISTEN " + name))
            session.channels.insert(channel)
        }
    }

    /// Waits for notifications on the channels listened to.
    ///
    /// - Returns: All that have arrived, as soon as there is one, or none when the time is over.
    /// - Throws: A ``PostgresError`` with the reason `connection` if the connection was lost; then listen again, and
    ///   look for what was missed.
    public func notifications(
        waitingUpTo limit: Duration
    ) async throws(PostgresError) -> [PostgresNotification] {
        try await onSession { (session) throws(PostgresError) in
            guard !session.channels.isEmpty else {
                throw PostgresError(reason: .usage, message: "the connection listens to no channel")
            }
            let deadline = ContinuousClock.now + limit
            while true {
                let arrived = session.takeNotifications()
                guard arrived.isEmpty else { return arrived }
                guard try session.waitForNotification(until: deadline) else { return [] }
            }
        }
    }

    // MARK: What the pool does

    /// Whether the connection is lent; outside of that it answers nothing.
    nonisolated var isLent: Bool {
        get { lent.load(ordering: .acquiring) }
        set { lent.store(newValue, ordering: .releasing) }
    }

    /// Whether something must be done before another caller has it.
    nonisolated var needsCleaning: Bool { unclean.load(ordering: .acquiring) }

    /// Forgets what the last caller left behind.
    func clean() {
        unclean.store(false, ordering: .releasing)
        guard let session else { return }
        session.rollBack()
        if !session.channels.isEmpty && !session.isBroken {
            do throws(PostgresError) {
                try session.runScript("UNLISTEN *", heedsCancellation: false)
                session.channels = []
                _ = session.takeNotifications()
            } catch { session.abandon() }
        }
        if session.isBroken { self.session = nil }
    }

    /// Closes the connection.
    func close() {
        session = nil
    }

    private func onSession<V>(
        _ body: (Session) throws(PostgresError) -> V
    ) async throws(PostgresError) -> V {
        let wake = wake
        let outcome: Result<V, PostgresError> = await withTaskCancellationHandler {
            Result { () throws(PostgresError) in try perform(body) }
        } onCancel: {
            wake.signal()
        }
        return try outcome.get()
    }

    private func perform<V>(_ body: (Session) throws(PostgresError) -> V) throws(PostgresError) -> V {
        guard isLent else {
            throw PostgresError(reason: .usage, message: "the connection was used after it had been handed back")
        }
        if Task.isCancelled {
            throw PostgresError(reason: .cancelled, message: "the task was cancelled; nothing was sent")
        }
        let session = try openSession()
        defer {
            if !session.isIdle || !session.channels.isEmpty { unclean.store(true, ordering: .releasing) }
            if session.isBroken {
                // A listener must hear of it: its next call fails instead of connecting anew.
                if session.channels.isEmpty { self.session = nil }
                logger.info("the connection to PostgreSQL was lost")
            }
        }
        do throws(PostgresError) { return try body(session) } catch {
            // Perhaps a standby now: the next call connects anew, to the host that takes changes, if the URL asks for it.
            if error.isReadOnly { session.abandon() }
            throw error
        }
    }

    private func openSession() throws(PostgresError) -> Session {
        if let session {
            if session.isAlive() { return session }
            self.session = nil
            guard session.channels.isEmpty else {
                throw PostgresError(
                    reason: .connection, message: "the connection that listened was lost; listen again")
            }
        }
        let opened = try Session.open(configuration, wake: wake)
        session = opened
        logger.debug("connected to PostgreSQL")
        return opened
    }
}
