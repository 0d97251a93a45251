import CLibpq
import Dispatch
import Synchronization

/// A request to the server to stop what a connection is doing.
///
/// It goes over a connection of its own, and blocks without a limit where the server is frozen: so it has a thread.
final class CancelRequest: Sendable {
    private let finished = Atomic(false)

    /// Whether the server has had the request; until then it could still hit a later statement.
    var isFinished: Bool { finished.load(ordering: .acquiring) }

    /// Sends the request and wakes the connection's thread once it is through.
    init(_ connection: OpaquePointer, wake: WakePipe) {
        // libpq allows a cancel object on any thread; only this block has it.
        nonisolated(unsafe) let cancel = PQgetCancel(connection)
        DispatchQueue(label: "postgres.cancel").async { [self] in
            var reason = [CChar](repeating: 0, count: 256)
            _ = PQcancel(cancel, &reason, Int32(reason.count))
            PQfreeCancel(cancel)
            finished.store(true, ordering: .releasing)
            wake.signal()
        }
    }
}
