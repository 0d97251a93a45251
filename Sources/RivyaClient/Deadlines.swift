import Synchronization

/// Cancels what takes longer than it may.
///
/// One timer serves all that run. A sleep for each would take a tenth of the time of a worker that follows thousands of tasks: one
/// that is called off is kept until it is over.
final class Deadlines: Sendable {
    private struct Running {
        let deadline: ContinuousClock.Instant
        let cancel: @Sendable () -> Void
    }

    private struct State {
        var running: [UInt64: Running] = [:]
        var lastNumber: UInt64 = 0
        /// When the next look at them is due.
        var nextLook: ContinuousClock.Instant?
    }

    private let state = Mutex(State())

    /// Runs a body, and cancels it once the limit is over or the caller is cancelled.
    ///
    /// - Returns: What the body returned, even if that came too late, and whether the limit was over.
    func run<Value: Sendable>(
        atMost limit: Duration, _ body: @escaping @Sendable () async -> Value
    ) async -> (value: Value, expired: Bool) {
        let task = Task(operation: body)
        let number = watch(.init(deadline: .now + limit, cancel: task.cancel))
        let value = await withTaskCancellationHandler {
            await task.value
        } onCancel: {
            task.cancel()
        }
        let wasWatched = state.withLock { $0.running.removeValue(forKey: number) != nil }
        return (value, expired: !wasWatched)
    }

    private func watch(_ running: Running) -> UInt64 {
        state.withLock { state in
            state.lastNumber += 1
            state.running[state.lastNumber] = running
            lookAgain(&state, at: running.deadline)
            return state.lastNumber
        }
    }

    /// Sees to it that somebody looks at that time, or before and then again.
    private func lookAgain(_ state: inout State, at time: ContinuousClock.Instant) {
        guard state.nextLook.map({ time < $0 }) ?? true else { return }
        state.nextLook = time
        Task { [weak self] in
            try? await Task.sleep(until: time, clock: .continuous)
            self?.look(at: time)
        }
    }

    private func look(at time: ContinuousClock.Instant) {
        let late = state.withLock { state in
            let now = ContinuousClock.now
            let late = state.running.filter { $0.value.deadline <= now }
            for number in late.keys { state.running[number] = nil }
            // Another one looks earlier otherwise, and sees to the next.
            if state.nextLook == time {
                state.nextLook = nil
                if let next = state.running.values.map(\.deadline).min() { lookAgain(&state, at: next) }
            }
            return late.values
        }
        for running in late { running.cancel() }
    }
}
