import Foundation
import Synchronization

/// The TCP connections that a server of this machine has accepted, from the system's table of them.
///
/// One that has been closed stays in the table for a minute, so a look every few seconds misses none but those that were
/// cut off. Source: proc(5), /proc/net/tcp; tcp(7), TIME_WAIT.
final class AcceptedConnections: Sendable {
    private let port: UInt16
    /// The ports of the other side.
    private let seen = Mutex<Set<UInt16>>([])

    /// Begins with what there is.
    init(port: UInt16) { self.port = port }

    /// How many there have been until now; NaN where the system does not tell.
    func count() -> Double {
        guard let table = try? String(contentsOfFile: "/proc/net/tcp", encoding: .utf8) else { return .nan }
        return seen.withLock { seen in
            for line in table.split(separator: "\n").dropFirst() {
                // Place, local address and remote one, each as in `0100007F:1F90`; a server that listens has no other side.
                let fields = line.split(separator: " ", maxSplits: 3)
                let ports = fields.dropFirst().prefix(2).compactMap { UInt16($0.suffix(4), radix: 16) }
                guard ports.count == 2, !ports.contains(0) else { continue }
                if ports[0] == port { seen.insert(ports[1]) } else if ports[1] == port { seen.insert(ports[0]) }
            }
            return Double(seen.count)
        }
    }

    /// Looks every few seconds until it is cancelled.
    func watch() async {
        while !Task.isCancelled {
            _ = count()
            try? await Task.sleep(for: .seconds(10))
        }
    }
}
