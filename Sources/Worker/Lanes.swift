import Accounting
import Ledger
import RivyaClient
import Synchronization

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// What a worker has in hand at this moment.
final class Lanes: Sendable {
    private struct Lease {
        let token: Int64
        var end: Date
    }

    private struct State {
        var leases: [TaskID: Lease] = [:]
        var refusedKey: RivyaError?
    }

    private let state = Mutex(State())

    /// The leases of the tasks in hand.
    var leases: [TaskID: Int64] { state.withLock { $0.leases.mapValues(\.token) } }

    /// How many tasks are in hand.
    var count: Int { state.withLock { $0.leases.count } }

    /// Takes tasks in hand.
    ///
    /// - Parameter end: When their leases end, by the database's clock.
    func take(_ tasks: [LeasedTask], until end: Date) {
        state.withLock { state in
            for task in tasks { state.leases[task.id] = Lease(token: task.leaseToken, end: end) }
        }
    }

    /// Notes that leases were extended.
    func extend(_ tasks: Set<TaskID>, until end: Date) {
        state.withLock { state in
            for task in tasks { state.leases[task]?.end = end }
        }
    }

    /// Whether no other worker can have a task at a moment.
    func holds(_ task: LeasedTask, at now: Date) -> Bool {
        state.withLock { state in
            state.leases[task.id].map { $0.token == task.leaseToken && now < $0.end } ?? false
        }
    }

    /// Lets a task go.
    func drop(_ task: LeasedTask) {
        state.withLock { state in
            if state.leases[task.id]?.token == task.leaseToken { state.leases[task.id] = nil }
        }
    }

    /// Notes that the provider refused the API key.
    func refuseKey(_ error: RivyaError) { state.withLock { $0.refusedKey = error } }

    /// The refusal of the API key since the last call, if there was one.
    func takeRefusedKey() -> RivyaError? {
        state.withLock { state in
            let refused = state.refusedKey
            state.refusedKey = nil
            return refused
        }
    }
}
