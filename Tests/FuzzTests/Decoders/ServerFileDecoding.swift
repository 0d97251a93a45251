@testable import Postgres

/// The file `postmaster.pid` names a process that gets signals.
func holdServerProcess(_ text: String) throws {
    guard let process = ServerFolder.process(text) else { return }
    try hold(process.id > 1, "signals to \(process.id) reach other processes")
    try hold(text.hasPrefix("\(process.id)") || text.hasPrefix("+") || text.hasPrefix("0"), "another process")
    try hold(!process.isReady || text.contains("ready"), "it does not say that it is ready")
}
