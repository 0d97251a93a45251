import Logging

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// A private PostgreSQL server in a folder, for when no database is given.
///
/// It is made from the machine's own PostgreSQL, listens on a unix socket in a folder only its user can enter, and
/// outlives the process that started it. As root, all of it runs as the user `postgres`, or `nobody`.
public struct LocalPostgres: Sendable {
    /// The folder that holds everything.
    public let home: String
    private let folder: ServerFolder
    private let environment: [String: String]
    private let settings: [String: String]
    private let syncsToDisk: Bool

    /// Names a server by its folder; nothing happens yet.
    ///
    /// - Parameter settings: Settings of the server, such as `["max_connections": "300"]`.
    /// - Parameter syncsToDisk: `false` only for tests; what was committed is then lost when the machine stops.
    public init(
        home: String, environment: [String: String] = ProcessInfo.processInfo.environment,
        settings: [String: String] = [:], syncsToDisk: Bool = true
    ) {
        let path = home.hasPrefix("/") ? home : "\(FileManager.default.currentDirectoryPath)/\(home)"
        // Written in one way, since the socket's place is derived from it.
        self.home = "/" + path.split(separator: "/").filter { $0 != "." }.joined(separator: "/")
        self.environment = environment
        self.settings = settings
        self.syncsToDisk = syncsToDisk
        folder = ServerFolder(home: self.home)
    }

    /// The folder where nothing else was said: `USAGE_HOME`, else one for all as root, else one of the user's own.
    public static func defaultHome(
        environment: [String: String] = ProcessInfo.processInfo.environment
    ) -> String {
        if let home = environment["USAGE_HOME"], !home.isEmpty { return home }
        if geteuid() == 0 { return "/var/lib/usage" }
        if let data = environment["XDG_DATA_HOME"], !data.isEmpty { return "\(data)/usage" }
        return "\(environment["HOME"] ?? ".")/.local/share/usage"
    }

    /// Where to connect once it runs.
    public var url: String { folder.url(database: "usage") }

    /// What there is now, learnt from the folder alone and so in well under a millisecond.
    public func status() -> LocalPostgresStatus {
        guard let version = folder.dataVersion else { return .absent }
        guard let process = folder.answeringProcess, folder.hasDatabase else {
            return .stopped(dataDirectory: folder.data)
        }
        return .running(
            url: url, processID: process, version: String(version), dataDirectory: folder.data)
    }

    /// Starts the server, or joins the one that runs; makes the data folder the first time.
    ///
    /// - Throws: A ``LocalPostgresError``, one sentence that says what to do.
    @discardableResult
    public func start() throws(LocalPostgresError) -> LocalPostgresStatus {
        let before = status()
        if before.isRunning { return before }
        let user = try ServerUser.choose()
        try prepare(for: user)
        let lock = try FileLock(path: folder.lock)
        defer { withExtendedLifetime(lock) {} }
        let now = status()
        if now.isRunning { return now }
        let installation = try ServerInstallation.find(environment: environment, required: folder.dataVersion)
        if folder.dataVersion == nil { try initialise(installation, user) }
        try launch(installation, user)
        try createDatabase()
        return status()
    }

    /// Stops the server in an orderly way; does nothing if it does not run.
    public func stop() throws(LocalPostgresError) {
        guard folder.dataVersion != nil else { return }
        let lock = try FileLock(path: folder.lock)
        defer { withExtendedLifetime(lock) {} }
        guard let process = folder.recordedProcess, folder.isOurs(process.id) else {
            guard folder.socketAnswers else { return }
            throw LocalPostgresError(
                message: "PostgreSQL runs in \(folder.data), but its process cannot be told; stop it by hand.")
        }
        // SIGINT is a fast shutdown: transactions are rolled back, everything is written.
        // Source: PostgreSQL manual, "Shutting Down the Server".
        kill(process.id, SIGINT)
        let isGone = poll(for: .seconds(60)) { folder.recordedProcess == nil && !folder.isOurs(process.id) }
        guard isGone else {
            throw LocalPostgresError(message: "PostgreSQL has not stopped within a minute; see \(folder.log).")
        }
        // One in /tmp would be left over for good.
        rmdir(folder.socketFolder)
    }

    private func prepare(for user: ServerUser) throws(LocalPostgresError) {
        // pg_ctl puts these paths into a shell command between double quotes.
        guard !home.contains(where: { "\"$`\\\n".contains($0) }) else {
            throw LocalPostgresError(
                message:
                    "The data folder's path has a quote, dollar sign or backslash in it; set USAGE_HOME to another.")
        }
        do { try FileManager.default.createDirectory(atPath: home, withIntermediateDirectories: true) } catch {
            throw ServerUser.cannotMake(home)
        }
        try user.checkAccess(above: folder.root)
        try user.ownFolder(folder.root)
        // In /tmp somebody else may have been first.
        var found = stat()
        if lstat(folder.socketFolder, &found) == 0 {
            guard found.st_mode & S_IFMT == S_IFDIR, found.st_uid == user.user || found.st_uid == geteuid() else {
                throw LocalPostgresError(
                    message: "\(folder.socketFolder) belongs to somebody else; remove it, or set USAGE_HOME to a "
                        + "folder with a shorter path.")
            }
        }
        try user.ownFolder(folder.socketFolder)
    }

    private func initialise(_ installation: ServerInstallation, _ user: ServerUser) throws(LocalPostgresError) {
        // Renamed only when it is whole, so a crash in between leaves nothing that looks like a data folder.
        try? FileManager.default.removeItem(atPath: folder.unfinishedData)
        unlink(folder.databaseMark)
        var arguments =
            user.prefix + [
                installation.program("initdb"), "-D", folder.unfinishedData, "--username=usage", "--auth=trust",
                "--encoding=UTF8", "--locale=C", "--data-checksums",
            ]
        if !syncsToDisk { arguments.append("--no-sync") }
        guard ServerProgram.run(arguments, output: folder.programLog, limit: .seconds(120)) == 0,
            rename(folder.unfinishedData, folder.data) == 0
        else {
            throw LocalPostgresError(
                message: "PostgreSQL could not make its data folder \(folder.data); see \(folder.programLog).")
        }
    }

    private func launch(_ installation: ServerInstallation, _ user: ServerUser) throws(LocalPostgresError) {
        if let process = folder.recordedProcess {
            if folder.isOurs(process.id) {
                // Starting or stopping on somebody else's behalf.
                if poll(for: .seconds(60), until: { folder.answeringProcess != nil || !folder.isOurs(process.id) }),
                    folder.answeringProcess != nil
                {
                    return
                }
            } else {
                // Left by a crash; the number may now be another program's, which the server would take for itself.
                unlink("\(folder.data)/postmaster.pid")
            }
        }
        let arguments =
            user.prefix + [
                installation.program("pg_ctl"), "start", "-D", folder.data, "-l", folder.log, "-w", "-t", "60",
                "-o", serverOptions,
            ]
        // After a crash the old server's processes hold its shared memory until they notice.
        let isUp = poll(for: .seconds(30), every: 500_000) {
            ServerProgram.run(arguments, output: folder.programLog, limit: .seconds(90)) == 0
        }
        guard isUp, folder.answeringProcess != nil else {
            throw LocalPostgresError(message: "PostgreSQL did not start; see \(folder.log).")
        }
    }

    // Options as pg_ctl takes them: one text that a shell splits.
    private var serverOptions: String {
        var all = [
            "listen_addresses": "", "port": String(ServerFolder.port), "unix_socket_permissions": "0700",
            "unix_socket_directories": "\"\(folder.socketFolder)\"",
            // Without the detail, which quotes the values of rows.
            "log_error_verbosity": "terse",
        ]
        if !syncsToDisk { all.merge(["fsync": "off", "full_page_writes": "off"]) { $1 } }
        all.merge(settings) { $1 }
        return all.sorted { $0.key < $1.key }.map { name, value in
            "-c \(name)='" + value.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''")
                + "'"
        }.joined(separator: " ")
    }

    private func createDatabase() throws(LocalPostgresError) {
        do throws(PostgresError) {
            let configuration = PostgresConfiguration(url: folder.url(database: "postgres"))
            let session = try Session.open(configuration, wake: WakePipe())
            let found = try session.run([
                ("SELECT FROM pg_database WHERE datname = 'usage'", BoundParameters([]))
            ])
            if found[0].isEmpty { try session.runScript("CREATE DATABASE usage") }
        } catch {
            throw LocalPostgresError(message: "The server's database could not be made: \(error.message).")
        }
        guard FileManager.default.createFile(atPath: folder.databaseMark, contents: nil) else {
            throw ServerUser.cannotMake(folder.databaseMark)
        }
    }

    private func poll(for limit: Duration, every microseconds: UInt32 = 20_000, until isDone: () -> Bool) -> Bool {
        let deadline = ContinuousClock.now + limit
        while !isDone() {
            guard ContinuousClock.now < deadline else { return false }
            usleep(microseconds)
        }
        return true
    }
}
