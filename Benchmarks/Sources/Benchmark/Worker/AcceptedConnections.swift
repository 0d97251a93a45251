import Foundation

/// How many TCP connections have been accepted on this machine.
enum AcceptedConnections {
    /// Since it was started, whoever accepted them: on a machine that does nothing else all new ones are the provider's, and
    /// never are fewer counted than those. NaN where the system does not tell. Source: RFC 1213, tcpPassiveOpens.
    static func count() -> Double {
        let lines = (try? String(contentsOfFile: "/proc/net/snmp", encoding: .utf8))?.split(separator: "\n") ?? []
        let rows = lines.filter { $0.hasPrefix("Tcp:") }.map { $0.split(separator: " ") }
        guard rows.count == 2, let place = rows[0].firstIndex(of: "PassiveOpens"), place < rows[1].count else {
            return .nan
        }
        return Double(rows[1][place]) ?? .nan
    }
}
