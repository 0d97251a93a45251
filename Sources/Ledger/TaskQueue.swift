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
    /// When the first create request began of those that may have been taken, which this one is.
    public let firstSentAt: Date?
    /// When the provider accepted it.
    public let acceptedAt: Date?
}

extension Ledger {
    /// Leases due tasks until a moment; each is then this worker's alone until the lease ends or is given back.
    ///
    /// - Parameter inHand: Tasks that the caller is working on. They stay its own even if their leases ran out, so it
    ///   must not send them a second time meanwhile.
    public func claim(
        upTo limit: Int, at now: Date, leaseUntil: Date, except inHand: some Collection<TaskID> = []
    ) async throws(LedgerError) -> [LeasedTask] {
        do throws(PostgresError) {
            var tasks: [LeasedTask] = []
            let rows = try await pool.query(Query.claim, wallet.id, now, Int64(limit), leaseUntil, inHand.map(\.uuid))
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
            for row in try await pool.query(
                Query.extendLeases, wallet.id, ordered.map(\.key.uuid), ordered.map(\.value), until)
            {
                held.insert(TaskID(try row.decode("task_id")))
            }
            return held
        } catch {
            throw .database(error)
        }
    }

    /// When the next task is due, and how many still have to be brought to an end by a worker.
    public func nextDue() async throws(LedgerError) -> (dueAt: Date?, unfinished: Int64) {
        do throws(PostgresError) {
            guard let row = try await pool.query(Query.nextDue, wallet.id).first else { return (nil, 0) }
            return (try row.decode("due_at"), try row.decode("unfinished"))
        } catch {
            throw .database(error)
        }
    }

    /// Completes a task whose references are uploaded, so that the worker sends it.
    ///
    /// - Returns: Whether it waited for this; a second call changes nothing.
    public func store(request body: [UInt8], of task: TaskID, at now: Date) async throws(LedgerError) -> Bool {
        do throws(PostgresError) {
            return try await !pool.query(Query.storeRequest, wallet.id, task.uuid, body, now).isEmpty
        } catch {
            throw .database(error)
        }
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
