import Reporting
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Where a report goes: stdout, or a file that appears only once it is complete.
final class ReportOutput: Sendable {
    private struct Target {
        var file: Int32
        var hasFailed = false
    }

    private let path: String?
    private let target: Mutex<Target>

    var isTerminal: Bool { path == nil }

    /// - Throws: ``ReportError/unwritable(_:)`` if the file cannot be made.
    init(_ path: String?) throws {
        self.path = path
        guard let path else {
            target = Mutex(Target(file: STDOUT_FILENO))
            return
        }
        let file = open(path + ".partial", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard file >= 0 else {
            throw ReportError.unwritable("\(path) cannot be made: \(String(cString: strerror(errno)))")
        }
        target = Mutex(Target(file: file))
    }

    func write(_ text: String) {
        Array(text.utf8).withUnsafeBytes { write($0) }
    }

    func write(_ bytes: UnsafeRawBufferPointer) {
        target.withLock { target in
            var offset = 0
            while offset < bytes.count, !target.hasFailed {
                let written = systemWrite(target.file, bytes.baseAddress.map { $0 + offset }, bytes.count - offset)
                if written < 0, errno == EINTR { continue }
                target.hasFailed = written <= 0
                offset += max(written, 0)
            }
        }
    }

    /// Puts the complete file in its place.
    func finish() throws {
        let (file, hasFailed) = target.withLock { ($0.file, $0.hasFailed) }
        guard let path else {
            // A reader that closed the pipe has what it wanted.
            return
        }
        let isSafe = !hasFailed && fsync(file) == 0
        close(file)
        guard isSafe, rename(path + ".partial", path) == 0 else {
            unlink(path + ".partial")
            throw ReportError.unwritable("\(path): \(String(cString: strerror(errno)))")
        }
    }
}

private func systemWrite(_ file: Int32, _ bytes: UnsafeRawPointer?, _ count: Int) -> Int { write(file, bytes, count) }
