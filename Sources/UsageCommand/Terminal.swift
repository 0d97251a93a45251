import Reporting
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// What a person sees: data on stdout, messages and progress on stderr, colours and progress only on a terminal.
enum Terminal {
    /// Whether stdout is a terminal that may show colours.
    static var hasColours: Bool { isatty(STDOUT_FILENO) == 1 && Environment.value("NO_COLOR") == nil }

    /// Writes text to stdout.
    static func print(_ text: String) { write(Array(text.utf8), to: STDOUT_FILENO) }

    /// Writes a line to stderr.
    static func note(_ text: String) { write(Array((text + "\n").utf8), to: STDERR_FILENO) }

    /// Colours a cell of a table.
    static func colour(_ text: String, _ emphasis: Emphasis) -> String {
        switch emphasis {
        case .none: text
        case .warning: "\u{1B}[33m\(text)\u{1B}[0m"
        case .alarm: "\u{1B}[31m\(text)\u{1B}[0m"
        }
    }

    private static func write(_ bytes: [UInt8], to file: Int32) {
        bytes.withUnsafeBytes { buffer in
            var rest = buffer[...]
            while !rest.isEmpty {
                #if canImport(Glibc)
                    let written = Glibc.write(file, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
                #elseif canImport(Musl)
                    let written = Musl.write(file, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
                #else
                    let written = Darwin.write(file, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
                #endif
                if written < 0, errno == EINTR { continue }
                guard written > 0 else { return }
                rest = rest.dropFirst(written)
            }
        }
    }
}

/// A bar on stderr that shows how far long work is; nothing where stderr is no terminal.
final class ProgressBar: Sendable {
    private let label: String
    private let total: Int
    private let done = Mutex(0)
    private let isShown = isatty(STDERR_FILENO) == 1

    init(_ label: String, total: Int) {
        self.label = label
        self.total = max(total, 1)
    }

    /// One more is done.
    func advance() {
        done.withLock { done in
            done += 1
            guard isShown, done == total || done.isMultiple(of: max(1, total / 200)) else { return }
            let width = 30
            let filled = min(width, done * width / total)
            let bar = String(repeating: "#", count: filled) + String(repeating: ".", count: width - filled)
            let text = "\r\(label) [\(bar)] \(done)/\(total)" + (done >= total ? "\n" : "")
            text.withCString { _ = write(STDERR_FILENO, $0, strlen($0)) }
        }
    }
}
