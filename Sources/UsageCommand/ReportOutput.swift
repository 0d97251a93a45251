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
    fileprivate struct Target {
        var file: Int32
        /// The system's number of what went wrong; 0 while nothing has.
        var failure: Int32 = 0
        var isFinished = false
        /// What is not written yet: rows come one by one, and a call of the system for each would cost more than the row.
        var pending: [UInt8] = []
    }

    private static let pieceBytes = 64 * 1024

    private let path: String?
    /// Where it is written until it is complete; nil for what is no file to be replaced, such as a pipe or a device.
    private let partialPath: String?
    private let target: Mutex<Target>

    var isTerminal: Bool { path == nil }

    /// - Throws: ``ReportError/unwritable(_:)`` if the file cannot be made.
    init(_ path: String?) throws {
        self.path = path
        guard let path else {
            partialPath = nil
            target = Mutex(Target(file: STDOUT_FILENO))
            return
        }
        var found = stat()
        let isReplaceable = stat(path, &found) != 0 || found.st_mode & S_IFMT == S_IFREG
        partialPath = isReplaceable ? "\(path).\(getpid()).partial" : nil
        let flags = isReplaceable ? O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC : O_WRONLY | O_CLOEXEC
        let file = open(partialPath ?? path, flags, 0o644)
        guard file >= 0 else {
            throw ReportError.unwritable("\(path) cannot be made: \(String(cString: strerror(errno)))")
        }
        target = Mutex(Target(file: file))
    }

    deinit {
        guard let partialPath, target.withLock({ !$0.isFinished }) else { return }
        unlink(partialPath)
    }

    func write(_ text: String) {
        Array(text.utf8).withUnsafeBytes { write($0) }
    }

    func write(_ bytes: UnsafeRawBufferPointer) {
        target.withLock { target in
            target.pending.append(contentsOf: bytes)
            if target.pending.count >= Self.pieceBytes { target.flush() }
        }
    }

    /// Puts the complete file in its place.
    ///
    /// - Throws: ``ReportError/unwritable(_:)`` if not all of it could be written.
    func finish() throws {
        try target.withLock { target in
            target.flush()
            if partialPath != nil, target.failure == 0, fsync(target.file) != 0 { target.failure = errno }
            if path != nil { close(target.file) }
            if let path, let partialPath, target.failure == 0 {
                if rename(partialPath, path) == 0 { target.isFinished = true } else { target.failure = errno }
            }
            // A reader that closed the pipe has what it wanted.
            guard target.failure != 0, path != nil || target.failure != EPIPE else { return }
            throw ReportError.unwritable("\(path ?? "stdout"): \(String(cString: strerror(target.failure)))")
        }
    }
}

extension ReportOutput.Target {
    mutating func flush() {
        pending.withUnsafeBytes { bytes in
            var offset = 0
            while offset < bytes.count, failure == 0 {
                let written = systemWrite(file, bytes.baseAddress.map { $0 + offset }, bytes.count - offset)
                if written < 0, errno == EINTR { continue }
                if written <= 0 { failure = written < 0 ? errno : EIO }
                offset += max(written, 0)
            }
        }
        pending.removeAll(keepingCapacity: true)
    }
}

private func systemWrite(_ file: Int32, _ bytes: UnsafeRawPointer?, _ count: Int) -> Int { write(file, bytes, count) }
