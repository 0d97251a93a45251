import Accounting
import Postgres
import UsageSQL

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// A task or a refusal, as lists show it.
public struct TaskSummary: Equatable, Sendable {
    /// The task, or the id that it would have had.
    public let id: TaskID
    /// The project that pays.
    public let project: String
    /// The provider's model id.
    public let model: String
    /// A state of docs/design.md.
    public let state: String
    /// When it was submitted.
    public let submittedAt: Date
    /// Held for it, ever.
    public let reserved: Credits
    /// Taken for good.
    public let charged: Credits
    /// The provider's id, once it is known.
    public let providerTaskID: String?
    /// The caller's own name for the request.
    public let clientRequestID: String
}

/// What happened to a task, as one line.
public struct TaskEvent: Equatable, Sendable {
    /// Place among the entries of the wallet.
    public let entryNumber: Int64
    /// What happened.
    public let event: String
    /// When it happened.
    public let at: Date
    /// A few words more.
    public let detail: String
}

/// All that is known of a task.
public struct TaskDetails: Equatable, Sendable {
    /// The task in short.
    public let summary: TaskSummary
    /// When a worker takes it next; nil where it waits for a person or its references, or has ended.
    public let dueAt: Date?
    /// Create requests begun; 0 once it has ended.
    public let attempts: Int
    /// The create request; nil while its references are not uploaded.
    public let body: [UInt8]?
    /// The provider's result URLs, as a JSON array.
    public let resultURLs: String?
    /// What happened to it, in order.
    public let events: [TaskEvent]
}

/// How far a task is.
public struct TaskProgress: Equatable, Sendable {
    /// The task.
    public let id: TaskID
    /// A state of docs/design.md.
    public let state: String
    /// What it was charged; nil until it is settled.
    public let charged: Credits?
    /// Whether it waits for a person.
    public let needsPerson: Bool
}

extension Ledger {
    /// The newest tasks and refusals, newest first.
    ///
    /// - Parameter state: A state of docs/design.md, or `refused`.
    /// - Parameter before: Only what is older than this task.
    public func tasks(
        of project: String? = nil, in state: String? = nil, before: TaskID? = nil, limit: Int
    ) async throws(LedgerError) -> [TaskSummary] {
        do throws(PostgresError) {
            var found: [TaskSummary] = []
            for row in try await pool.query(Query.tasks, wallet.id, project, state, before?.uuid, Int64(limit)) {
                found.append(try TaskSummary(row, at: "at"))
            }
            return found
        } catch {
            throw .database(error)
        }
    }

    /// All that is known of a task; nil where there is none of that id.
    public func task(_ id: TaskID) async throws(LedgerError) -> TaskDetails? {
        do throws(PostgresError) {
            guard let row = try await pool.query(Query.task, wallet.id, id.uuid).first else { return nil }
            var events: [TaskEvent] = []
            for event in try await pool.query(Query.taskEvents, wallet.id, id.uuid) {
                events.append(try TaskEvent(event))
            }
            return TaskDetails(
                summary: try TaskSummary(row, at: "submitted_at"), dueAt: try row.decode("due_at"),
                attempts: Int(try row.decode("attempts", as: Int32?.self) ?? 0), body: try row.decode("body"),
                resultURLs: try row.decode("result_urls", as: JSONB?.self)?.text, events: events)
        } catch {
            throw .database(error)
        }
    }

    /// A refusal by the id that its task would have had; nil where there is none.
    public func refusal(_ id: TaskID) async throws(LedgerError) -> (project: String, refusal: Refusal)? {
        do throws(PostgresError) {
            guard let row = try await pool.query(Query.refusal, wallet.id, id.uuid).first else { return nil }
            let refusal = Refusal(
                taskID: id, amount: Credits(try row.decode("amount_credits")), refusedAt: try row.decode("refused_at"),
                reasons: try RefusalReason.list(row.decode("reasons")))
            return (try row.decode("project"), refusal)
        } catch {
            throw .database(error)
        }
    }

    /// How far some tasks are.
    public func progress(of tasks: [TaskID]) async throws(LedgerError) -> [TaskProgress] {
        do throws(PostgresError) {
            var found: [TaskProgress] = []
            for row in try await pool.query(Query.taskStates, wallet.id, tasks.map(\.uuid)) {
                let state = try row.decode("state", as: String?.self) ?? "unknown"
                let isDue = try row.decode("due_at", as: Date?.self) != nil
                found.append(
                    TaskProgress(
                        id: TaskID(try row.decode("task_id")), state: state,
                        charged: try row.decode("charged_credits", as: Int64?.self).map(Credits.init),
                        needsPerson: state == "unknown" && !isDue))
            }
            return found
        } catch {
            throw .database(error)
        }
    }
}

extension TaskSummary {
    fileprivate init(_ row: Row, at submitted: String) throws(PostgresError) {
        id = TaskID(try row.decode("task_id"))
        project = try row.decode("project")
        model = try row.decode("model")
        state = try row.decode("state")
        submittedAt = try row.decode(submitted)
        reserved = Credits(try row.decode("reserved_credits"))
        charged = Credits(try row.decode("charged_credits", as: Int64?.self) ?? 0)
        providerTaskID = try row.decode("provider_task_id")
        clientRequestID = try row.decode("client_request_id")
    }
}

extension TaskEvent {
    fileprivate init(_ row: Row) throws(PostgresError) {
        entryNumber = try row.decode("entry_number")
        event = try row.decode("event")
        at = try row.decode("at")
        detail = try row.decode("detail")
    }
}
