import Ledger
import Synchronization

/// Visited tasks that wait to be given back to the queue together. No more than are in hand: an outage that keeps them
/// here keeps new ones from being taken.
final class Returns: Sendable {
    private struct State {
        var schedules: [Schedule] = []
        var isClosed = false
    }

    private let state = Mutex(State())
    private let bell = Doorbell()

    /// Whether no more will come.
    var isClosed: Bool { state.withLock(\.isClosed) }

    /// Adds one.
    func add(_ schedule: Schedule) {
        state.withLock { $0.schedules.append(schedule) }
        bell.ring()
    }

    /// Says that no more will come.
    func close() {
        state.withLock { $0.isClosed = true }
        bell.ring()
    }

    /// Waits until there are some, or no more will come.
    func wait() async { await bell.wait(atMost: .seconds(3600)) }

    /// All that wait.
    func take() -> [Schedule] {
        state.withLock { state in
            defer { state.schedules = [] }
            return state.schedules
        }
    }
}
