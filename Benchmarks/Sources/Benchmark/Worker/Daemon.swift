import Dispatch
import Foundation

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// A program that runs beside the benchmark until it is stopped.
struct Daemon: Sendable {
    let process: pid_t
    private let output: String

    /// Starts a program for a body, and kills it after that if it still runs.
    static func with<Value>(
        _ path: String, _ arguments: [String], environment: [String: String] = [:], in folder: ScratchFolder,
        _ body: (Daemon) async throws -> Value
    ) async throws -> Value {
        let output = folder.file("output-\(UUID().uuidString)")
        let daemon = Daemon(
            process: try Program.spawn([path] + arguments, environment, output: output), output: output)
        do {
            let value = try await body(daemon)
            _ = await daemon.stop(SIGKILL)
            return value
        } catch {
            _ = await daemon.stop(SIGKILL)
            throw error
        }
    }

    /// The whole lines that it has printed so far.
    var lines: [Substring] {
        let text = (try? String(contentsOfFile: output, encoding: .utf8)) ?? ""
        return text[..<(text.lastIndex(of: "\n") ?? text.startIndex)].split(separator: "\n")
    }

    /// Sends a signal and waits for the end.
    ///
    /// - Returns: Whether it ended by itself with the exit code 0; false too if it had been stopped before.
    func stop(_ signal: Int32) async -> Bool {
        kill(process, signal)
        let process = process
        return await withCheckedContinuation { continuation in
            DispatchQueue.global().async {
                var status: Int32 = 0
                var found = waitpid(process, &status, 0)
                while found == -1 && errno == EINTR { found = waitpid(process, &status, 0) }
                continuation.resume(returning: found == process && status == 0)
            }
        }
    }
}
