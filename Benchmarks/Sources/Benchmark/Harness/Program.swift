import Dispatch
import Foundation

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// A program run to its end.
enum Program {
    /// What a program did.
    struct Outcome: Sendable {
        /// What it printed.
        let output: String
        /// What it used, its own programs included.
        let cpuSeconds: Double
        /// The most memory that the program itself had resident, in bytes; nil where the system does not tell.
        let peakBytes: Int?
        /// From its start to its end.
        let seconds: Double
    }

    /// Runs a program, and answers with what it printed and used.
    ///
    /// - Parameter folder: Where its output is kept meanwhile.
    /// - Parameter environment: What it gets besides this process's own.
    /// - Throws: A ``Mistake`` with the end of what it printed if it fails.
    static func run(
        _ path: String, _ arguments: [String], environment: [String: String] = [:], in folder: ScratchFolder
    ) async throws -> Outcome {
        let output = folder.file("output-\(UUID().uuidString)")
        let start = ContinuousClock.now
        let process = try spawn([path] + arguments, environment, output: output)
        let watch = PeakWatch(process)
        async let peakBytes = watch.untilItEnds()
        let (status, usage) = await withCheckedContinuation { continuation in
            DispatchQueue.global().async { continuation.resume(returning: wait(for: process)) }
        }
        let seconds = Double((ContinuousClock.now - start).nanoseconds) / 1e9
        let text = try String(contentsOfFile: output, encoding: .utf8)
        try FileManager.default.removeItem(atPath: output)
        guard status == 0 else { throw Mistake("\(path) failed (status \(status)): \(text.suffix(1000))") }
        return Outcome(output: text, cpuSeconds: usage.cpuSeconds, peakBytes: await peakBytes, seconds: seconds)
    }

    /// Foundation's own way hands on the signals that a thread of Dispatch blocks, without which pgbench never ends.
    static func spawn(
        _ command: [String], _ environment: [String: String], output: String
    ) throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        posix_spawn_file_actions_adddup2(&actions, 1, 2)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        let all = ProcessInfo.processInfo.environment.merging(environment) { $1 }.map { "\($0.key)=\($0.value)" }
        var process: pid_t = 0
        let spawned = withCStrings(command) { arguments in
            withCStrings(all) { posix_spawn(&process, command[0], &actions, &attributes, arguments, $0) }
        }
        guard spawned == 0 else { throw Mistake("\(command[0]) cannot be run: \(String(cString: strerror(spawned)))") }
        return process
    }

    private static func wait(for process: pid_t) -> (status: Int32, usage: rusage) {
        var (status, usage) = (Int32(0), rusage())
        while wait4(process, &status, 0, &usage) == -1 && errno == EINTR {}
        return (status, usage)
    }

    private static func withCStrings<R>(_ strings: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> R) -> R {
        let pointers = strings.map { strdup($0) }
        defer { for pointer in pointers { free(pointer) } }
        return body(pointers + [nil])
    }
}

extension rusage {
    /// CPU seconds, in the program and in the system for it.
    var cpuSeconds: Double {
        Double(ru_utime.tv_sec + ru_stime.tv_sec) + Double(ru_utime.tv_usec + ru_stime.tv_usec) / 1e6
    }
}

/// A folder that is gone once nobody has it any more.
final class ScratchFolder: Sendable {
    let path: String

    init() throws {
        path = URL.temporaryDirectory.appending(path: "usage-benchmark-files-\(UUID().uuidString)").path()
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// The path of a file in it.
    func file(_ name: String) -> String { "\(path)/\(name)" }

    /// Writes a file into it and answers with its path.
    func write(_ text: String, to name: String) throws -> String {
        try Data(text.utf8).write(to: URL(filePath: file(name)))
        return file(name)
    }
}
