#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Credits held for one task before it is sent.
public struct Reservation: Equatable, Sendable {
    /// The task that they are held for.
    public let taskID: TaskID
    /// The most the task may cost.
    public let amount: Credits
    /// When they were held.
    public let reservedAt: Date

    /// Makes the value of a reservation that is in the books.
    public init(taskID: TaskID, amount: Credits, reservedAt: Date) {
        self.taskID = taskID
        self.amount = amount
        self.reservedAt = reservedAt
    }
}

/// The guard's answer to a request.
public enum ReservationOutcome: Equatable, Sendable {
    /// The credits are held; the task will be sent.
    case reserved(Reservation)
    /// Nothing is held and nothing will be sent; the refusal is recorded.
    case refused(Refusal)
}
