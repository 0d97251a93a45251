import Postgres

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// A server of a test's own, to be killed, frozen and started again.
public struct PrivateServer: Sendable {
    /// The folder of the server.
    public let home: String
    private let server: LocalPostgres

    /// Names a server in a new folder; it is not running yet.
    ///
    /// - Parameter programs: The folder of the server's programs; nil for the machine's own.
    public init(settings: [String: String] = [:], programs: String? = nil) {
        let name = "\(TestServer.prefix)\(ProcessInfo.processInfo.processIdentifier)-\(UInt32.random(in: 0 ... .max))"
        self.init(
            home: "\(FileManager.default.temporaryDirectory.path())/\(name)", settings: settings, programs: programs)
    }

    init(home: String, settings: [String: String] = [:], programs: String? = nil) {
        var environment = ProcessInfo.processInfo.environment
        if let programs { environment["USAGE_POSTGRES_BIN"] = programs }
        server = LocalPostgres(home: home, environment: environment, settings: settings, syncsToDisk: false)
        self.home = server.home
    }

    /// Where its database is.
    public var url: String { server.url }

    /// The folder of the data.
    public var dataDirectory: String { "\(home)/postgres/data" }

    /// The server's first process, if it runs.
    public var processID: Int32? {
        guard case .running(_, let processID, _, _) = server.status() else { return nil }
        return processID
    }

    /// Starts it, or starts it again after a crash.
    public func start() throws(LocalPostgresError) {
        try server.start()
    }

    /// Ends it the way a power failure does.
    public func kill() {
        guard let processID else { return }
        // A session may outlive the first process by a moment, and answer; where the system lists them, they go with it.
        let children =
            (try? String(contentsOfFile: "/proc/\(processID)/task/\(processID)/children", encoding: .utf8)) ?? ""
        Self.send(SIGKILL, to: processID)
        for child in children.split(separator: " ").compactMap({ Int32($0) }) { Self.send(SIGKILL, to: child) }
        // Its number may stay for a while after its end; its socket does not answer any more.
        while server.status().isRunning { usleep(1_000) }
    }

    /// Ends it the way a power failure does, and starts it again.
    public func restart() throws(LocalPostgresError) {
        kill()
        try server.start()
    }

    /// Stops all of it from running, until it is thawed.
    public func freeze() {
        if let processID { Self.send(SIGSTOP, to: processID) }
    }

    /// Lets it run again. Takes the process that was seen before it was frozen.
    public func thaw(_ processID: Int32) {
        Self.send(SIGCONT, to: processID)
    }

    /// Ends it at once and removes its folder.
    public func remove() {
        if let processID {
            Self.send(SIGQUIT, to: processID)
            // At most five seconds, after which the folder goes all the same.
            for _ in 0..<1_000 where server.status().isRunning { usleep(5_000) }
        }
        try? FileManager.default.removeItem(atPath: home)
    }

    private static func send(_ signal: Int32, to process: Int32) {
        #if canImport(Glibc)
            _ = Glibc.kill(process, signal)
        #else
            _ = Darwin.kill(process, signal)
        #endif
    }
}
