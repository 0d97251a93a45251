import Ledger
import Logging
import Synchronization

/// Whether the database can be used, as the parts of a worker notice it together: an outage is logged when it begins,
/// now and then while it lasts, and when it is over, however many wait for its end.
final class Outage: Sendable {
    private struct State {
        var since: ContinuousClock.Instant?
        var loggedAt = ContinuousClock.now
    }

    private let state = Mutex(State())
    private let reminder = Duration.seconds(60)

    /// The database could not be used.
    func goesOn(_ error: LedgerError, _ logger: Logger) {
        let now = ContinuousClock.now
        let isNews = state.withLock { state in
            guard state.since == nil || now - state.loggedAt >= reminder else { return false }
            state.since = state.since ?? now
            state.loggedAt = now
            return true
        }
        if isNews { logger.warning("the database cannot be used, waiting for it", metadata: ["error": "\(error)"]) }
    }

    /// The database was used.
    func isOver(_ logger: Logger) {
        let since = state.withLock { state in
            defer { state.since = nil }
            return state.since
        }
        guard let since else { return }
        logger.notice("the database is back", metadata: ["seconds": "\(Int((ContinuousClock.now - since).seconds))"])
    }

    /// How long to wait before the database is asked again: at random, as many wait at once, and at most two seconds.
    static func pause(after failures: Int) -> Duration {
        .milliseconds(min(2000, 100 << min(failures, 5))) * Double.random(in: 0.5...1)
    }
}
