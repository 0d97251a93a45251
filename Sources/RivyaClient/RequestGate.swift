import Synchronization

/// Lets a limited number of requests through at once, in the order they came.
final class RequestGate: Sendable {
    private struct State {
        var free: Int
        var lastTicket: UInt64 = 0
        /// Callers between taking a ticket and standing in line; true once they are cancelled.
        var arriving: [UInt64: Bool] = [:]
        var line: [UInt64: (ticket: UInt64, continuation: CheckedContinuation<Bool, Never>)] = [:]
        var placeOfTicket: [UInt64: UInt64] = [:]
        var lastPlace: UInt64 = 0
        /// Places up to this one were let through or given up.
        var servedPlace: UInt64 = 0
    }

    private let state: Mutex<State>

    init(limit: Int) {
        precondition(limit > 0, "a gate lets at least one request through")
        state = Mutex(State(free: limit))
    }

    /// Runs the work when its turn comes, or returns nothing if the caller is cancelled while it waits.
    func run<Value: Sendable>(_ work: () async -> Value) async -> Value? {
        guard await enter() else { return nil }
        defer { leave() }
        return await work()
    }

    private func enter() async -> Bool {
        let ticket = state.withLock { state in
            state.lastTicket += 1
            state.arriving[state.lastTicket] = false
            return state.lastTicket
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let answer: Bool? = state.withLock { state in
                    if state.arriving.removeValue(forKey: ticket) == true { return false }
                    if state.free > 0 {
                        state.free -= 1
                        return true
                    }
                    state.lastPlace += 1
                    state.line[state.lastPlace] = (ticket, continuation)
                    state.placeOfTicket[ticket] = state.lastPlace
                    return nil
                }
                if let answer { continuation.resume(returning: answer) }
            }
        } onCancel: {
            let waiter = state.withLock { state in
                if state.arriving[ticket] != nil { state.arriving[ticket] = true }
                return state.placeOfTicket.removeValue(forKey: ticket).flatMap { state.line.removeValue(forKey: $0) }
            }
            waiter?.continuation.resume(returning: false)
        }
    }

    private func leave() {
        let next: CheckedContinuation<Bool, Never>? = state.withLock { state in
            while !state.line.isEmpty {
                state.servedPlace += 1
                if let waiter = state.line.removeValue(forKey: state.servedPlace) {
                    state.placeOfTicket[waiter.ticket] = nil
                    return waiter.continuation
                }
            }
            state.free += 1
            return nil
        }
        next?.resume(returning: true)
    }
}
