import Accounting
import Postgres
import Synchronization
import UsageSQL

/// The books of one wallet: its guard, and the one place through which its credits move.
///
/// Callers that wait at the same moment share one statement for each kind of act and one commit: whatever has queued up
/// while the last group was written goes into the next, decided in the order in which it came. Nothing waits for a group
/// to fill, and nothing here is remembered between groups: the database alone decides.
public final class Ledger: Sendable {
    /// The most acts that one transaction holds.
    public static let groupLimit = 1000
    /// A group is closed once its request bodies have this many bytes.
    public static let groupByteLimit = 8 * 1024 * 1024
    /// The most acts that may wait; one more is turned away with ``LedgerError/overloaded``.
    public static let queueLimit = 50_000
    /// And while the requests of those that wait have this many bytes, one more is turned away as well.
    public static let queueByteLimit = 256 * 1024 * 1024

    /// The wallet whose books these are.
    public let wallet: Wallet
    /// The time by which its tasks are due.
    public let databaseClock = DatabaseClock()
    let pool: ConnectionPool

    private typealias Queue = ActQueue<CheckedContinuation<Result<Answer, LedgerError>, Never>>
    private typealias Waiting = Queue.Waiting

    private struct State {
        var queue = Queue()
        var isBeingWritten = false
        /// The connection that runs the groups, while it does.
        var connection: Connection?
        /// Whether that connection will look for the next group anyway.
        var isWoken = false
        /// Whether a task was admitted that no worker has been woken for.
        var hasAdmitted = false
        /// Whether the call that wakes them is under way.
        var isWaking = false
        /// Groups that failed and can be written again, as a whole or in parts.
        var failed: [(group: [Waiting], error: PostgresError)] = []
    }

    private let state = Mutex(State())

    /// Opens the books of a wallet; writes through one connection of the pool at a time.
    public init(wallet: Wallet, pool: ConnectionPool) {
        self.wallet = wallet
        self.pool = pool
    }

    /// Holds credits for a task before it is sent to the provider.
    ///
    /// The budgets and the wallet are checked and debited in one transaction, so two callers never share the last credit.
    /// Asking again with the same `client_request_id` returns the first answer.
    ///
    /// - Returns: The reservation, or why there is none; a refusal is recorded too.
    /// - Throws: ``LedgerError/unknownProject(_:)``, ``LedgerError/unpriced(model:)`` and
    ///   ``LedgerError/clientRequestConflict(_:)``, and nothing is held then; ``LedgerError/database(_:)`` if PostgreSQL
    ///   cannot answer: at once where it refuses, and otherwise when the connect timeout or the statement timeout is over,
    ///   for all who wait by then.
    public func reserve(_ submission: TaskSubmission) async throws(LedgerError) -> ReservationOutcome {
        guard case .reservation(let outcome) = try await answer(to: .reserve(submission)) else { throw .unreadable }
        return outcome
    }

    /// Books that the provider accepted a task; its `reserved_credits` bind the hold, whatever the limit.
    public func accept(_ acceptance: Acceptance) async throws(LedgerError) -> AcceptanceOutcome {
        guard case .acceptance(let outcome) = try await answer(to: .accept(acceptance)) else { throw .unreadable }
        return outcome
    }

    /// Ends a task's hold, once: charges, and releases the rest.
    public func settle(_ settlement: Settlement) async throws(LedgerError) -> SettlementOutcome {
        guard case .settlement(let outcome) = try await answer(to: .settle(settlement)) else { throw .unreadable }
        return outcome
    }

    /// Keeps an error; one that shows a guard miss closes the wallet's gate.
    public func record(_ error: RecordedError) async throws(LedgerError) {
        _ = try await answer(to: .record(error))
    }

    private func answer(to act: Act) async throws(LedgerError) -> Answer {
        let number = state.withLock { $0.queue.makeNumber() }
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { enqueue(Waiting(number: number, act: act, caller: $0)) }
        } onCancel: {
            withdraw(number)
        }
        return try result.get()
    }

    private func enqueue(_ entry: Waiting) {
        enum Next { case wait, write, wake(Connection), turnAway(LedgerError) }
        let next = state.withLock { state -> Next in
            // A cancellation before this point found nothing to withdraw.
            guard !Task.isCancelled else { return .turnAway(.cancelled) }
            guard state.queue.count < Ledger.queueLimit, state.queue.bytes < Ledger.queueByteLimit else {
                return .turnAway(.overloaded)
            }
            state.queue.append(entry)
            guard state.isBeingWritten else {
                state.isBeingWritten = true
                return .write
            }
            guard let connection = state.connection, !state.isWoken,
                state.queue.underWay.isEmpty && !state.isWaking || state.queue.isGroupDue
            else { return .wait }
            state.isWoken = true
            return .wake(connection)
        }
        switch next {
        case .wait: break
        case .turnAway(let error): entry.caller.resume(returning: .failure(error))
        case .wake(let connection): connection.lookAgain()
        // Lives only as long as callers wait for it, and is nobody's child: a group belongs to all of its callers, so
        // the cancellation of one must not reach it.
        case .write: Task { await writeGroups() }
        }
    }

    /// Takes a cancelled caller out of the queue; once its group is being written, it gets the group's answer.
    private func withdraw(_ number: UInt64) {
        let withdrawn = state.withLock { $0.queue.remove(number) }
        withdrawn?.caller.resume(returning: .failure(.cancelled))
    }

    private func writeGroups() async {
        repeat {
            do throws(PostgresError) {
                try await pool.withConnection { (connection) throws(PostgresError) in
                    state.withLock { state in
                        state.connection = connection
                        state.queue.stopExpecting()
                    }
                    defer { state.withLock { $0.connection = nil } }
                    try await connection.pipelines { nextPipeline() }
                }
            } catch {
                turnAwayWaiting(error)
            }
            await writeFailed()
            // Those who were answered and ask again come first, so that they go together: no wait, they are ready to run.
            await Task.yield()
        } while isAnybodyWaiting()
    }

    /// How many callers wait for their group.
    var waitingCount: Int { state.withLock { $0.queue.count } }

    /// How many groups have been sent and not been answered.
    var groupsUnderWay: Int { state.withLock { $0.queue.underWay.count } }

    private func isAnybodyWaiting() -> Bool {
        state.withLock { state in
            state.isBeingWritten = state.queue.count > 0 || state.hasAdmitted
            return state.isBeingWritten
        }
    }

    /// The next group; where none is due, what wakes the workers for those before it, while the answered ask again.
    private func nextPipeline() -> Pipeline? {
        let (group, wakes) = state.withLock { state in
            state.isWoken = false
            if let group = state.queue.takeGroup() { return (group, false) }
            guard state.hasAdmitted, !state.isWaking else { return ([], false) }
            (state.hasAdmitted, state.isWaking) = (false, true)
            return ([], true)
        }
        if wakes { return Pipeline([PipelineStep(Query.wake, wallet.id)]) { self.noteWoken($0) } }
        guard !group.isEmpty else { return nil }
        let written = Group(group.map(\.act), wallet: wallet.id)
        return Pipeline(written.steps) { self.finish(group, written, $0) }
    }

    /// The workers have been woken; should that have failed, an idle one looks for itself after a while.
    private func noteWoken(_ result: Result<[Rows], PostgresError>) {
        let idle = state.withLock { state in
            state.isWaking = false
            if case .failure(let error) = result, error.isStalePlan { state.hasAdmitted = true }
            return state.queue.count > 0 ? state.connection : nil
        }
        // Whoever has asked meanwhile did not call the connection.
        idle?.lookAgain()
    }

    /// Tells the callers of a group what came of it, unless it is to be written again.
    private func finish(_ group: [Waiting], _ written: Group, _ result: Result<[Rows], PostgresError>) {
        let idle = state.withLock { state -> Connection? in
            state.queue.noteAnswered()
            return state.queue.underWay.isEmpty && state.queue.count > 0 ? state.connection : nil
        }
        // The connection stays for who asks again; but not where somebody waits already.
        defer { idle?.lookAgain() }
        do throws(PostgresError) {
            hand(written.answers(try result.get()), to: group)
        } catch {
            if error.isWorthRepeating || error.isOfOneAct && group.count > 1 {
                state.withLock { $0.failed.append((group, error)) }
                return
            }
            for member in group { member.caller.resume(returning: .failure(.database(error))) }
            guard error.isOutage else { return }
            // Each further group would wait as long for a server that does not answer, and all behind it as well.
            turnAwayWaiting(
                PostgresError(
                    reason: .unreachable, message: "PostgreSQL does not answer; nothing was sent, try again in a moment"
                ))
        }
    }

    private func hand(_ answers: [Result<Answer, LedgerError>], to group: [Waiting]) {
        if answers.contains(where: \.isAdmission) { state.withLock { $0.hasAdmitted = true } }
        for (member, answer) in zip(group, answers) { member.caller.resume(returning: answer) }
    }

    private func turnAwayWaiting(_ error: PostgresError) {
        let waiting = state.withLock { state in
            state.hasAdmitted = false
            return state.queue.removeAll()
        }
        for member in waiting { member.caller.resume(returning: .failure(.database(error))) }
    }

    /// Writes the groups that failed once more, one after the other and nothing beside them.
    private func writeFailed() async {
        let failed = state.withLock { state in
            defer { state.failed = [] }
            return state.failed
        }
        for (group, error) in failed {
            hand(await answers(to: group.map(\.act), after: error, attempt: 1), to: group)
        }
    }

    private func write(_ acts: [Act], attempt: Int = 1) async -> [Result<Answer, LedgerError>] {
        do throws(PostgresError) {
            let group = Group(acts, wallet: wallet.id)
            return group.answers(try await pool.pipeline(group.steps))
        } catch {
            return await answers(to: acts, after: error, attempt: attempt)
        }
    }

    /// Writes a group that failed again; where one act spoils it, its halves are written apart, and so on, so that it
    /// spoils only itself.
    private func answers(
        to acts: [Act], after error: PostgresError, attempt: Int
    ) async -> [Result<Answer, LedgerError>] {
        if error.isWorthRepeating, attempt < 5 { return await write(acts, attempt: attempt + 1) }
        guard acts.count > 1, error.isOfOneAct else {
            return Array(repeating: .failure(.database(error)), count: acts.count)
        }
        let middle = acts.count / 2
        return await write(Array(acts[..<middle])) + write(Array(acts[middle...]))
    }
}

extension Result<Answer, LedgerError> {
    /// Whether a worker may have something to do now.
    fileprivate var isAdmission: Bool {
        if case .success(.reservation(.reserved)) = self { true } else { false }
    }
}

extension PostgresError {
    /// Whether the same group may well be written at the next try.
    fileprivate var isWorthRepeating: Bool { isLostRace || isStalePlan || cameBeforeItsPartition }

    /// Whether a row went to the default partition, and that of its month was made meanwhile: a check that has no name.
    private var cameBeforeItsPartition: Bool { sqlState == "23514" && constraint == nil }

    /// Whether one act of a group may be to blame, so that the others can be written without it.
    fileprivate var isOfOneAct: Bool { !isTransient && (reason == .server || reason == .usage) }
}
