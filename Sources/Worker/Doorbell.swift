import Synchronization

/// Wakes one waiting loop early; a ring while nobody waits is kept for the next wait.
final class Doorbell: Sendable {
    private struct State {
        var rung = false
        var waiter: CheckedContinuation<Bool, Never>?
    }

    private let state = Mutex(State())

    /// Wakes the loop.
    func ring() {
        let waiter = state.withLock { state in
            let waiter = state.waiter
            state.waiter = nil
            state.rung = waiter == nil
            return waiter
        }
        waiter?.resume(returning: true)
    }

    /// Takes a ring that was kept, without waiting.
    func takeRing() -> Bool {
        state.withLock { state in
            defer { state.rung = false }
            return state.rung
        }
    }

    /// Waits for a ring, but no longer than a time or the task's cancellation.
    ///
    /// - Returns: Whether it rang.
    @discardableResult
    func wait(atMost limit: Duration) async -> Bool {
        await withTaskGroup(of: Bool.self) { group in
            group.addTask {
                try? await Task.sleep(for: limit)
                return false
            }
            group.addTask { await self.waitForRing() }
            var rang = await group.next() ?? false
            group.cancelAll()
            // A ring in the moment at which the time ran out counts.
            for await late in group where late { rang = true }
            return rang
        }
    }

    private func waitForRing() async -> Bool {
        await withTaskCancellationHandler {
            await withCheckedContinuation { caller in
                let answer = state.withLock { state -> Bool? in
                    guard !Task.isCancelled else { return false }
                    guard !state.rung else {
                        state.rung = false
                        return true
                    }
                    state.waiter = caller
                    return nil
                }
                if let answer { caller.resume(returning: answer) }
            }
        } onCancel: {
            let waiter = state.withLock { state in
                let waiter = state.waiter
                state.waiter = nil
                return waiter
            }
            waiter?.resume(returning: false)
        }
    }
}
