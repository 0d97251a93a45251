import Dispatch
import Logging
import Synchronization

/// Who has which connection of a pool, and who waits for one.
final class ConnectionSlots: Sendable {
    private typealias Outcome = Result<Connection, PostgresError>

    private struct Waiter {
        let deadline: ContinuousClock.Instant
        let continuation: CheckedContinuation<Outcome, Never>
    }

    private struct State {
        var idle: [Connection] = []
        var lentCount = 0
        var isClosed = false
        // Tickets are given out in rising order, so the lowest one still here waits longest.
        var waiters: [UInt64: Waiter] = [:]
        var nextTicket: UInt64 = 0
        var nextServed: UInt64 = 0
        // Tickets whose task was cancelled before they came to wait.
        var cancelled: Set<UInt64> = []
        var timerIsSet = false
        var closing: [CheckedContinuation<Void, Never>] = []

        mutating func popWaiter() -> Waiter? {
            while !waiters.isEmpty {
                defer { nextServed += 1 }
                if let waiter = waiters.removeValue(forKey: nextServed) { return waiter }
            }
            return nil
        }

        mutating func lend(_ configuration: PostgresConfiguration, _ logger: Logger) -> Connection? {
            guard lentCount < configuration.maximumConnections else { return nil }
            lentCount += 1
            // The last one back is the likeliest to be open.
            let connection = idle.popLast() ?? Connection(configuration, logger: logger)
            connection.isLent = true
            return connection
        }
    }

    private let configuration: PostgresConfiguration
    private let logger: Logger
    private let state = Mutex(State())
    private let timers = DispatchQueue(label: "postgres.pool")

    init(_ configuration: PostgresConfiguration, logger: Logger) {
        self.configuration = configuration
        self.logger = logger
    }

    /// A connection that is free, or the next one handed back once it is this caller's turn.
    func acquire() async throws(PostgresError) -> Connection {
        let (ready, ticket): (Connection?, UInt64) = try state.withLock { (state) throws(PostgresError) in
            if state.isClosed { throw Self.closed }
            if state.waiters.isEmpty, let connection = state.lend(configuration, logger) { return (connection, 0) }
            state.nextTicket += 1
            return (nil, state.nextTicket - 1)
        }
        if let ready { return ready }
        let outcome = await withTaskCancellationHandler {
            await withCheckedContinuation { enqueue($0, ticket: ticket) }
        } onCancel: {
            giveUp(ticket)
        }
        state.withLock { _ = $0.cancelled.remove(ticket) }
        return try outcome.get()
    }

    /// Takes a connection back and hands it to whoever waits longest.
    func release(_ connection: Connection) {
        let (waiter, closing): (Waiter?, [CheckedContinuation<Void, Never>]) = state.withLock { state in
            if let waiter = state.popWaiter() {
                connection.isLent = true
                return (waiter, [])
            }
            state.lentCount -= 1
            state.idle.append(connection)
            guard state.isClosed, state.lentCount == 0 else { return (nil, []) }
            defer { state.closing = [] }
            return (nil, state.closing)
        }
        waiter?.continuation.resume(returning: .success(connection))
        for continuation in closing { continuation.resume() }
    }

    /// Turns away all who wait, and returns once every connection is back and closed.
    func close() async {
        let waiters = state.withLock { state in
            state.isClosed = true
            defer { state.waiters = [:] }
            return state.waiters.values.map(\.continuation)
        }
        for waiter in waiters { waiter.resume(returning: .failure(Self.closed)) }
        await withCheckedContinuation { continuation in
            let isDone = state.withLock { state in
                if state.lentCount > 0 { state.closing.append(continuation) }
                return state.lentCount == 0
            }
            if isDone { continuation.resume() }
        }
        let idle = state.withLock { state in
            defer { state.idle = [] }
            return state.idle
        }
        for connection in idle { await connection.close() }
    }

    private static let closed = PostgresError(reason: .closed, message: "the pool has been closed")
    private static let cancelled = PostgresError(
        reason: .cancelled, message: "the task was cancelled while it waited for a connection")

    private func enqueue(_ continuation: CheckedContinuation<Outcome, Never>, ticket: UInt64) {
        let answer: Outcome? = state.withLock { state in
            if state.isClosed { return .failure(Self.closed) }
            if state.cancelled.contains(ticket) { return .failure(Self.cancelled) }
            if state.waiters.isEmpty, let connection = state.lend(configuration, logger) { return .success(connection) }
            guard state.waiters.count < configuration.maximumWaiting else {
                return .failure(
                    PostgresError(
                        reason: .poolExhausted, message: "too many callers wait for a connection to PostgreSQL"))
            }
            state.waiters[ticket] = Waiter(
                deadline: .now + configuration.acquireTimeout, continuation: continuation)
            state.nextServed = min(state.nextServed, ticket)
            setTimer(&state, after: configuration.acquireTimeout)
            return nil
        }
        if let answer { continuation.resume(returning: answer) }
    }

    private func giveUp(_ ticket: UInt64) {
        let waiter = state.withLock { state in
            let waiter = state.waiters.removeValue(forKey: ticket)
            if waiter == nil { state.cancelled.insert(ticket) }
            return waiter
        }
        waiter?.continuation.resume(returning: .failure(Self.cancelled))
    }

    // All wait equally long, so one timer for the one that waits longest is enough.
    private func setTimer(_ state: inout State, after delay: Duration) {
        guard !state.timerIsSet else { return }
        state.timerIsSet = true
        timers.asyncAfter(deadline: .now() + .milliseconds(Int(clamping: delay.wholeMilliseconds))) { [weak self] in
            self?.expire()
        }
    }

    private func expire() {
        let now = ContinuousClock.now
        let late = state.withLock { state in
            state.timerIsSet = false
            let late = state.waiters.filter { $0.value.deadline <= now }
            for ticket in late.keys { state.waiters[ticket] = nil }
            if let next = state.waiters.values.map(\.deadline).min() { setTimer(&state, after: next - now) }
            return late.values.map(\.continuation)
        }
        let error = PostgresError(
            reason: .poolExhausted, message: "no connection to PostgreSQL became free in time")
        for continuation in late { continuation.resume(returning: .failure(error)) }
    }
}
