import Synchronization

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The database's time, by which the queue goes: whoever looks, with whatever clock, a task is due at one moment.
///
/// It is measured with statements that are made anyway, and carried on between them by the machine's monotonic clock,
/// so that nothing hangs on this machine's wall clock.
public final class DatabaseClock: Sendable {
    /// The bounds between which the database's time lies ahead of `start`, in seconds of the monotonic clock.
    private let offset = Mutex<ClosedRange<Double>?>(nil)
    private let start = ContinuousClock.now

    init() {}

    /// Whether the database has told its time.
    var isSet: Bool { offset.withLock { $0 != nil } }

    /// The time now, and never later than it is: a task is not taken before its lease has ended.
    ///
    /// - Precondition: The database has been asked, as ``Ledger/databaseTime()`` does.
    public func now() -> Date {
        guard let range = offset.withLock(\.self) else {
            preconditionFailure("the database is asked for its time first")
        }
        return Date(timeIntervalSinceReferenceDate: range.lowerBound + seconds(at: .now))
    }

    /// Takes in what the database said its time was, at some moment after a statement was sent and before its answer
    /// was there.
    func measure(_ time: Date, sentAt: ContinuousClock.Instant, answeredAt: ContinuousClock.Instant = .now) {
        let time = time.timeIntervalSinceReferenceDate
        let measured = (time - seconds(at: answeredAt))...(time - seconds(at: sentAt))
        offset.withLock { offset in
            // Each measurement narrows the last; one that contradicts it is of another server or of a clock that was
            // set, and counts alone.
            offset = offset.flatMap { $0.overlaps(measured) ? $0.clamped(to: measured) : nil } ?? measured
        }
    }

    private func seconds(at moment: ContinuousClock.Instant) -> Double { (moment - start) / .seconds(1) }
}
