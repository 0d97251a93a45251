import Accounting
import Postgres
import Synchronization

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

    /// The wallet whose books these are.
    public let wallet: Wallet
    /// The time by which its tasks are due.
    public let databaseClock = DatabaseClock()
    let pool: ConnectionPool

    private struct Waiting {
        let number: UInt64
        let act: Act
        let caller: CheckedContinuation<Result<Answer, LedgerError>, Never>
    }

    private struct Queue {
        var waiting: [UInt64: Waiting] = [:]
        /// The numbers of those that wait, in the order in which they came, and of some that were withdrawn.
        var order: [UInt64] = []
        var lastNumber: UInt64 = 0
        var isBeingWritten = false
    }

    private let queue = Mutex(Queue())

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
        let number = queue.withLock { queue in
            queue.lastNumber += 1
            return queue.lastNumber
        }
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { enqueue(Waiting(number: number, act: act, caller: $0)) }
        } onCancel: {
            withdraw(number)
        }
        return try result.get()
    }

    private func enqueue(_ entry: Waiting) {
        enum Next { case wait, write, turnAway(LedgerError) }
        let next = queue.withLock { queue -> Next in
            // A cancellation before this point found nothing to withdraw.
            guard !Task.isCancelled else { return .turnAway(.cancelled) }
            guard queue.waiting.count < Ledger.queueLimit else { return .turnAway(.overloaded) }
            queue.waiting[entry.number] = entry
            queue.order.append(entry.number)
            guard !queue.isBeingWritten else { return .wait }
            queue.isBeingWritten = true
            return .write
        }
        switch next {
        case .wait: break
        case .turnAway(let error): entry.caller.resume(returning: .failure(error))
        // Lives only as long as callers wait for it, and is nobody's child: a group belongs to all of its callers, so
        // the cancellation of one must not reach it.
        case .write: Task { await writeGroups() }
        }
    }

    /// Takes a cancelled caller out of the queue; once its group is being written, it gets the group's answer.
    private func withdraw(_ number: UInt64) {
        let withdrawn = queue.withLock { $0.waiting.removeValue(forKey: number) }
        withdrawn?.caller.resume(returning: .failure(.cancelled))
    }

    private func writeGroups() async {
        while let group = nextGroup() {
            let answers = await write(group.map(\.act))
            for (member, answer) in zip(group, answers) { member.caller.resume(returning: answer) }
            if case .failure(.database(let error))? = answers.first, error.isOutage {
                // Each further group would wait as long for a server that does not answer, and all behind it as well.
                turnAwayWaiting()
            } else {
                // Those who were answered and ask again come first, so that they go together: no wait, they are ready to run.
                await Task.yield()
            }
        }
    }

    private func turnAwayWaiting() {
        let waiting = queue.withLock { queue in
            defer { (queue.waiting, queue.order) = ([:], []) }
            return Array(queue.waiting.values)
        }
        let error = PostgresError(
            reason: .unreachable, message: "PostgreSQL does not answer; nothing was sent, try again in a moment")
        for member in waiting { member.caller.resume(returning: .failure(.database(error))) }
    }

    private func nextGroup() -> [Waiting]? {
        queue.withLock { queue in
            var (bytes, taken) = (0, 0)
            var group: [Waiting] = []
            for number in queue.order {
                guard group.count < Ledger.groupLimit, bytes < Ledger.groupByteLimit else { break }
                taken += 1
                guard let entry = queue.waiting.removeValue(forKey: number) else { continue }
                group.append(entry)
                bytes += entry.act.bodyBytes
            }
            queue.order.removeFirst(taken)
            queue.isBeingWritten = !group.isEmpty
            return group.isEmpty ? nil : group
        }
    }

    /// Writes a group; where one act spoils it, its halves are written apart, and so on, so that it spoils only itself.
    private func write(_ acts: [Act], attempt: Int = 1) async -> [Result<Answer, LedgerError>] {
        do throws(PostgresError) {
            let group = try Group(acts, wallet: wallet.id)
            return try group.answers(await pool.pipeline(group.steps))
        } catch {
            if error.isLostRace, attempt < 5 { return await write(acts, attempt: attempt + 1) }
            guard acts.count > 1, !error.isTransient, error.reason == .server || error.reason == .usage else {
                return Array(repeating: .failure(.database(error)), count: acts.count)
            }
            let middle = acts.count / 2
            return await write(Array(acts[..<middle])) + write(Array(acts[middle...]))
        }
    }
}
