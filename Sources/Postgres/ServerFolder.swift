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

/// Where a private server keeps its files, and what can be learnt from them without starting a program.
struct ServerFolder: Sendable {
    static let port = 5432
    let root: String
    let socketFolder: String

    var data: String { "\(root)/data" }
    var unfinishedData: String { "\(root)/data.unfinished" }
    var log: String { "\(root)/postgresql.log" }
    var programLog: String { "\(root)/program.log" }
    var lock: String { "\(root)/lock" }
    /// A file that is there once the server has the database, so that nobody joins it too early.
    var databaseMark: String { "\(root)/database" }
    var socket: String { "\(socketFolder)/.s.PGSQL.\(Self.port)" }

    init(home: String) {
        root = "\(home)/postgres"
        let inside = "\(root)/socket"
        // A socket's path has room for 107 bytes on Linux and 103 on macOS.
        let isShort = inside.utf8.count + ".s.PGSQL.5432".utf8.count + 1 <= 100
        socketFolder = isShort ? inside : "/tmp/usage-\(Self.hash(root))"
    }

    /// The major version that made the data folder, `nil` if there is none.
    var dataVersion: Int? {
        let text = try? String(contentsOfFile: "\(data)/PG_VERSION", encoding: .utf8)
        return text.flatMap { Int($0.prefix { $0.isNumber }) }
    }

    /// The process that the server's own file names, and whether it says that it is ready.
    var recordedProcess: (id: Int32, isReady: Bool)? {
        (try? String(contentsOfFile: "\(data)/postmaster.pid", encoding: .utf8)).flatMap(Self.process)
    }

    /// Reads the file that names the server's process.
    static func process(_ text: String) -> (id: Int32, isReady: Bool)? {
        let lines = text.prefix(4096).split(separator: "\n", omittingEmptySubsequences: false)
        // A number below 2 is no server: a signal to it would reach other processes, or all of them.
        guard let id = lines.first.flatMap({ Int32($0) }), id > 1 else { return nil }
        // Source: PostgreSQL, utils/pidfile.h: the eighth line is the status.
        return (id, lines.count >= 8 && lines[7].hasPrefix("ready"))
    }

    /// The server's process, if it says that it is ready and its socket answers.
    var answeringProcess: Int32? {
        guard let recordedProcess, recordedProcess.isReady, socketAnswers else { return nil }
        return recordedProcess.id
    }

    var hasDatabase: Bool { access(databaseMark, F_OK) == 0 }

    /// Whether a process of this data folder exists; a number may by now belong to another program.
    func isOurs(_ process: Int32) -> Bool {
        guard kill(process, 0) == 0 || errno == EPERM else { return false }
        #if os(Linux)
            // The server works in its data folder.
            var (working, own) = (stat(), stat())
            guard stat(data, &own) == 0 else { return false }
            guard stat("/proc/\(process)/cwd", &working) == 0 else {
                // In a container even root may not look into another user's process; then its user has to do.
                let mayNotLook = errno == EACCES || errno == EPERM
                return mayNotLook && stat("/proc/\(process)", &working) == 0 && working.st_uid == own.st_uid
            }
            return working.st_dev == own.st_dev && working.st_ino == own.st_ino
        #else
            return true
        #endif
    }

    /// Whether somebody accepts connections on the socket.
    var socketAnswers: Bool {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let path = Array(socket.utf8)
        guard path.count < MemoryLayout.size(ofValue: address.sun_path) else { return false }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path) }
        #if canImport(Glibc)
            let descriptor = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        #elseif canImport(Musl)
            let descriptor = Musl.socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)
        #else
            let descriptor = Darwin.socket(AF_UNIX, SOCK_STREAM, 0)
        #endif
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0
            }
        }
    }

    /// The URL of a database, reached over the socket.
    func url(database: String) -> String {
        let allowed = Set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/".utf8)
        let digits = Array("0123456789ABCDEF")
        let host = socketFolder.utf8.reduce(into: "") { text, byte in
            text +=
                allowed.contains(byte)
                ? String(UnicodeScalar(byte)) : "%\(digits[Int(byte >> 4)])\(digits[Int(byte & 15)])"
        }
        return "postgresql:///\(database)?host=\(host)&port=\(Self.port)&user=usage"
    }

    // FNV-1a: the same in every process, which Swift's own hashes are not.
    private static func hash(_ text: String) -> String {
        let value = text.utf8.reduce(UInt64(0xCBF2_9CE4_8422_2325)) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01B3 }
        return String(value, radix: 16)
    }
}

/// A lock on a file, which ends with the process that has it.
struct FileLock: ~Copyable {
    private let descriptor: Int32

    /// Waits for the lock, at most two minutes.
    init(path: String) throws(LocalPostgresError) {
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw ServerUser.cannotMake(path) }
        let deadline = ContinuousClock.now + .seconds(120)
        while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
            guard ContinuousClock.now < deadline else {
                close(descriptor)
                throw LocalPostgresError(
                    message: "Another process has been starting or stopping PostgreSQL for two minutes; try again.")
            }
            usleep(20_000)
        }
        self.descriptor = descriptor
    }

    deinit {
        close(descriptor)
    }
}
