import Accounting

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The provider accepted a task and took credits.
public struct Acceptance: Sendable {
    /// The task.
    public let taskID: TaskID
    /// The provider's id of it.
    public let providerTaskID: String
    /// The provider's `reserved_credits`, which bind the hold; nil where it named none, and the hold stays as it is.
    public let reserved: Credits?
    /// The provider's `created_at`.
    public let acceptedAt: Date
    /// When to ask for its status.
    public let pollAt: Date

    /// Makes the fact.
    public init(taskID: TaskID, providerTaskID: String, reserved: Credits?, acceptedAt: Date, pollAt: Date) {
        self.taskID = taskID
        self.providerTaskID = providerTaskID
        self.reserved = reserved
        self.acceptedAt = acceptedAt
        self.pollAt = pollAt
    }
}

/// What became of an ``Acceptance``.
public enum AcceptanceOutcome: String, Sendable {
    /// It is in the books.
    case accepted
    /// It was before.
    case alreadyAccepted = "already_accepted"
    /// The books know the task under another id of the provider's.
    case otherProviderTask = "other_provider_task"
    /// The books know this id of the provider's as that of another task: the answer belonged to another request, and
    /// nothing is booked.
    case providerTaskOfAnother = "provider_task_of_another"
    /// There is no such task.
    case unknownTask = "unknown_task"
}

/// What ends a task's hold, on somebody's word.
public struct Settlement: Sendable {
    /// How a task ended.
    public enum Outcome: String, Sendable {
        /// It succeeded.
        case succeeded
        /// It failed.
        case failed
        /// The provider said no before it took credits.
        case rejected
    }

    /// The task.
    public let taskID: TaskID
    /// The lease under which the provider was asked; nil where a person says so.
    public let leaseToken: Int64?
    /// How it ended.
    public let outcome: Outcome
    /// What is taken for good; the rest of the hold is released.
    public let charged: Credits
    /// The provider's error code, if it gave one.
    public let errorCode: String?
    /// The provider's result URLs.
    public let resultURLs: [String]
    /// The person who says so; nil for the provider.
    public let resolvedBy: String?
    /// Why the person says so.
    public let reason: String?
    /// When it ended, by the provider's clock.
    public let settledAt: Date
    /// When to read the provider once more, in case it changes its mind; nil for never.
    public let recheckAt: Date?

    /// Makes the provider's word on a task.
    public init(
        taskID: TaskID, leaseToken: Int64, outcome: Outcome, charged: Credits, errorCode: String? = nil,
        resultURLs: [String] = [], settledAt: Date, recheckAt: Date? = nil
    ) {
        self.taskID = taskID
        self.leaseToken = leaseToken
        self.outcome = outcome
        self.charged = charged
        self.errorCode = errorCode
        self.resultURLs = resultURLs
        self.resolvedBy = nil
        self.reason = nil
        self.settledAt = settledAt
        self.recheckAt = recheckAt
    }

    /// Makes a person's word on a task: a charge above zero counts as a success, a release as a failure.
    ///
    /// - Parameter recheckAt: When to ask the provider, should it know the task, whether it agrees.
    public init(
        resolving taskID: TaskID, charged: Credits, by person: String, reason: String, at now: Date, recheckAt: Date
    ) {
        self.taskID = taskID
        self.leaseToken = nil
        self.outcome = charged > .zero ? .succeeded : .failed
        self.charged = charged
        self.errorCode = nil
        self.resultURLs = []
        self.resolvedBy = person
        self.reason = reason
        self.settledAt = now
        self.recheckAt = recheckAt
    }
}

/// What became of a ``Settlement``.
public enum SettlementOutcome: String, Sendable {
    /// The hold has ended.
    case settled
    /// It had ended before, otherwise; the difference is booked as a correction.
    case corrected
    /// It had ended before, the same way, and the provider confirms it.
    case confirmed
    /// It had ended before.
    case alreadySettled = "already_settled"
    /// A rejection of a task that the provider had accepted; nothing is booked.
    case alreadyAccepted = "already_accepted"
    /// A worker sends the task at this moment, so a person cannot end it yet.
    case beingSent = "being_sent"
    /// The lease went to another worker; nothing is booked.
    case fenced
    /// There is no such task.
    case unknownTask = "unknown_task"
}

/// What went wrong with a task or a reading, kept with the provider's code.
public struct RecordedError: Sendable {
    /// What was asked of the provider.
    public enum Act: String, Sendable {
        /// A create request.
        case create
        /// A status request.
        case status
        /// An upload of a reference.
        case upload
        /// A reading of the balance.
        case credits
        /// Nothing: the provider reports that the task itself failed.
        case task
    }

    /// The task; nil for a reading.
    public let taskID: TaskID?
    /// What was asked.
    public let act: Act
    /// Which try it was, from 1.
    public let attempt: Int
    /// The provider's code, or our word where it gave none.
    public let code: String
    /// HTTP status; nil where there was no answer.
    public let httpStatus: Int?
    /// The provider's `requestId`.
    public let requestID: String?
    /// For a person to read; cut at 1000 characters.
    public let message: String
    /// When it happened.
    public let occurredAt: Date

    /// Makes the record.
    public init(
        taskID: TaskID?, act: Act, attempt: Int, code: String, httpStatus: Int?, requestID: String?, message: String,
        occurredAt: Date
    ) {
        self.taskID = taskID
        self.act = act
        self.attempt = attempt
        self.code = code.isEmpty ? "unknown" : String(code.unicodeScalars.prefix(200).map(Character.init))
        self.httpStatus = httpStatus
        self.requestID = requestID
        self.message = String(message.unicodeScalars.prefix(1000).map(Character.init))
        self.occurredAt = occurredAt
    }
}

/// A leased task on its way back to the queue.
public struct Schedule: Sendable {
    /// Where a task stands between two visits of a worker.
    public enum State: String, Sendable {
        /// Not sent, or surely not taken.
        case queued
        /// The provider has it.
        case accepted
        /// Whether the provider has it is not known.
        case unknown
        /// Its books are closed; it is only read once more.
        case settled
    }

    /// The task.
    public let taskID: TaskID
    /// The lease that is given back.
    public let leaseToken: Int64
    /// Where it stands.
    public let state: State
    /// When it is due; nil where it waits for a person.
    public let dueAt: Date?
    /// Whether a status request was made.
    public let polled: Bool

    /// Makes the order.
    public init(taskID: TaskID, leaseToken: Int64, state: State, dueAt: Date?, polled: Bool = false) {
        self.taskID = taskID
        self.leaseToken = leaseToken
        self.state = state
        self.dueAt = dueAt
        self.polled = polled
    }
}
