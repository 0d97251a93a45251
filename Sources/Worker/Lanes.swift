import Accounting
import Ledger
import RivyaClient
import Synchronization

/// What a worker has in hand at this moment.
final class Lanes: Sendable {
    private struct State {
        var leases: [TaskID: Int64] = [:]
        var refusedKey: RivyaError?
    }

    private let state = Mutex(State())

    /// The leases of the tasks in hand.
    var leases: [TaskID: Int64] { state.withLock { $0.leases } }

    /// How many tasks are in hand.
    var count: Int { state.withLock { $0.leases.count } }

    /// Takes tasks in hand.
    func take(_ tasks: [LeasedTask]) {
        state.withLock { state in
            for task in tasks { state.leases[task.id] = task.leaseToken }
        }
    }

    /// Lets a task go.
    func drop(_ task: LeasedTask) {
        state.withLock { state in
            if state.leases[task.id] == task.leaseToken { state.leases[task.id] = nil }
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
