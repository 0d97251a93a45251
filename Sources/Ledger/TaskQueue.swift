import Accounting
import Postgres
import UsageSQL

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// A task that a worker has leased.
public struct LeasedTask: Sendable {
    /// The task.
    public let id: TaskID
    /// The lease: goes up with each worker that takes the task.
    public let leaseToken: Int64
    /// Whether its books are closed and the provider is only read once more.
    public let isSettled: Bool
    /// The create request to send, byte for byte; nil once the provider has the task.
    public let body: [UInt8]?
    /// The provider's id, once it is known.
    public let providerTaskID: String?
    /// Create requests begun, this one included.
    public let attempts: Int
    /// Status requests made.
    public let polls: Int
    /// Whether an earlier create request may have been taken.
    public let isInDoubt: Bool
    /// When the first create request began of those that may have been taken, which this one is; by the database's
    /// clock.
    public let firstSentAt: Date?
    /// When it was booked that the provider accepted it, by the database's clock.
    public let acceptedAt: Date?
}

extension Ledger {
    /// The database's time, asked for once and then carried on by ``databaseClock``.
    public func databaseTime() async throws(LedgerError) -> Date {
        if !databaseClock.isSet { _ = try await nextDue() }
        return databaseClock.now()
    }

    /// Leases due tasks until a moment; each is then this worker's alone until the lease ends or is given back.
    ///
    /// - Parameter now: ``databaseTime()``, outside of tests.
    /// - Parameter inHand: Tasks that the caller is working on. They stay its own even if their leases ran out, so it
    ///   must not send them a second time meanwhile.
    public func claim(
        upTo limit: Int, at now: Date, leaseUntil: Date, except inHand: some Collection<TaskID> = []
    ) async throws(LedgerError) -> [LeasedTask] {
        do throws(PostgresError) {
            var tasks: [LeasedTask] = []
            let rows = try await timed(Query.claim, wallet.id, now, Int64(limit), leaseUntil, inHand.map(\.uuid))
            for row in rows { tasks.append(try LeasedTask(row)) }
            return tasks
        } catch {
            throw .database(error)
        }
    }

    /// Extends leases.
    ///
    /// - Returns: The tasks that are still leased; the others went to another worker.
    public func extend(
        _ leases: [TaskID: Int64], until: Date
    ) async throws(LedgerError) -> Set<TaskID> {
        do throws(PostgresError) {
            let ordered = leases.sorted { $0.key.description < $1.key.description }
            var held: Set<TaskID> = []
            for row in try await timed(
                Query.extendLeases, wallet.id, ordered.map(\.key.uuid), ordered.map(\.value), until)
            {
                held.insert(TaskID(try row.decode("task_id")))
            }
            return held
        } catch {
            throw .database(error)
        }
    }

    /// Gives leased tasks back to the queue, all in one statement; without effect on one whose lease has gone to another
    /// worker.
    public func schedule(_ schedules: [Schedule]) async throws(LedgerError) {
        do throws(PostgresError) {
            _ = try await pool.query(
                Query.schedule, wallet.id, schedules.map(\.taskID.uuid), schedules.map(\.leaseToken),
                schedules.map(\.state.rawValue), schedules.map(\.dueAt), schedules.map(\.polled))
        } catch {
            throw .database(error)
        }
    }

    /// The database's time, when the next task is due or the next lease ends, and whether a worker still has any to bring
    /// to an end.
    public func nextDue() async throws(LedgerError) -> (now: Date, dueAt: Date?, isUnfinished: Bool) {
        do throws(PostgresError) {
            let row = try await timed(Query.nextDue, wallet.id)[0]
            return (try row.decode("now"), try row.decode("due_at"), try row.decode("is_unfinished"))
        } catch {
            throw .database(error)
        }
    }

    /// Completes a task whose references are uploaded, so that the worker sends it.
    ///
    /// - Parameter now: When that was; a task is not due later than at once.
    /// - Returns: Whether it waited for this; a second call changes nothing.
    public func store(request body: [UInt8], of task: TaskID, at now: Date) async throws(LedgerError) -> Bool {
        do throws(PostgresError) {
            return try await !pool.query(Query.storeRequest, wallet.id, task.uuid, body, now).isEmpty
        } catch {
            throw .database(error)
        }
    }

    /// Runs a statement that answers with the database's time, and takes that in.
    private func timed(
        _ statement: Statement, _ parameters: any PostgresEncodable...
    ) async throws(PostgresError) -> Rows {
        let sentAt = ContinuousClock.now
        let rows = try await pool.query(statement, parameters: parameters)
        if let row = rows.first { databaseClock.measure(try row.decode("now"), sentAt: sentAt) }
        return rows
    }
}

extension LeasedTask {
    fileprivate init(_ row: Row) throws(PostgresError) {
        id = TaskID(try row.decode("task_id"))
        leaseToken = try row.decode("lease_token")
        isSettled = try row.decode("state", as: String.self) == "settled"
        body = try row.decode("body")
        providerTaskID = try row.decode("provider_task_id")
        attempts = Int(try row.decode("attempts", as: Int32.self))
        polls = Int(try row.decode("polls", as: Int32.self))
        isInDoubt = try row.decode("in_doubt")
        firstSentAt = try row.decode("first_sent_at")
        acceptedAt = try row.decode("accepted_at")
    }
}
