import Dispatch
import Foundation

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// The memory of processes, as far as the system tells it. Source: proc(5), /proc/pid/status and /proc/pid/clear_refs.
enum Memory {
    /// The most that this process had resident since the last ``forget()``, in bytes.
    static var peakBytes: Int? { peakBytes(of: "self") }

    /// The most that a process that runs has had resident, in bytes.
    static func peakBytes(of process: pid_t) -> Int? { peakBytes(of: String(process)) }

    /// What a process has resident now, in bytes.
    static func residentBytes(of process: pid_t) -> Int? { bytes("VmRSS", in: "/proc/\(process)/status") }

    /// What a process has resident, of what it shares with others only its part, in bytes.
    static func proportionalBytes(of process: pid_t) -> Int? { bytes("Pss", in: "/proc/\(process)/smaps_rollup") }

    /// Begins a new peak of this process.
    static func forget() { try? Data("5".utf8).write(to: URL(filePath: "/proc/self/clear_refs")) }

    private static func peakBytes(of process: String) -> Int? { bytes("VmHWM", in: "/proc/\(process)/status") }

    private static func bytes(_ name: String, in path: String) -> Int? {
        (try? String(contentsOfFile: path, encoding: .utf8)).flatMap { bytes(name, of: $0) }
    }

    fileprivate static func bytes(_ name: String, of text: String) -> Int? {
        guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix("\(name):") }),
            let kilobytes = line.split(separator: " ").dropFirst().first.flatMap({ Int($0) })
        else { return nil }
        return kilobytes * 1024
    }
}

/// Watches the peak of a program that this process started.
///
/// What `wait4` says of one that has ended begins with the peak of the process that started it, so it is asked while it
/// runs; only what it took after the last look is missed. Source: Linux, fs/exec.c, exec_mmap.
struct PeakWatch: Sendable {
    private let file: Int32

    /// Begins to watch; to be called before anybody waits for its end, as the number may be another's then.
    init(_ process: pid_t) { file = open("/proc/\(process)/status", O_RDONLY | O_CLOEXEC) }

    /// The most that it had resident, in bytes, once it has ended; nil where the system does not tell.
    func untilItEnds() async -> Int? {
        guard file >= 0 else { return nil }
        defer { close(file) }
        let start = ContinuousClock.now
        var peak: Int?
        while let bytes = look() {
            peak = max(bytes, peak ?? 0)
            // Within a tenth of its time from its end, and no burden on one that runs for long.
            let pause = min(max((ContinuousClock.now - start) / 10, .milliseconds(1)), .milliseconds(20))
            guard (try? await Task.sleep(for: pause)) != nil else { break }
        }
        return peak
    }

    private func look() -> Int? {
        withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 1) { buffer in
            let count = pread(file, buffer.baseAddress, buffer.count, 0)
            guard count > 0 else { return nil }
            return Memory.bytes("VmHWM", of: String(decoding: buffer.prefix(count), as: UTF8.self))
        }
    }
}
