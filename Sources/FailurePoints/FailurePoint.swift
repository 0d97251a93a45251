#if FAILURE_POINTS
    import Synchronization

    #if canImport(Glibc)
        import Glibc
    #elseif canImport(Musl)
        import Musl
    #else
        import Darwin
    #endif
#endif

/// A place at which a test lets the process die, as a power cut would.
///
/// Debug builds have them; in a release build ``reach(_:beforeDying:)`` is empty and inlined to nothing, its arguments
/// included. They are steered from the environment:
///
/// - `USAGE_DIE_AT=before reserve#2` kills the process when it reaches the point of that name for the second time.
/// - `USAGE_FAILURE_POINT_LOG=FILE` adds a line for each point that is reached, in the form that `USAGE_DIE_AT` takes.
public enum FailurePoint {
    /// Passes a point, or dies at it.
    ///
    /// - Parameters:
    ///   - name: `before`, `sent` (all of it is on its way, no answer has been read) or `after` (the answer has been
    ///     read, and nobody has acted on it), and the name of the statement or request.
    ///   - finish: Runs when the process is about to die here: brings on its way what the point says is on its way.
    @inlinable @inline(__always)
    public static func reach(_ name: @autoclosure () -> String, beforeDying finish: () -> Void = {}) {
        #if FAILURE_POINTS
            pass(name(), finish)
        #endif
    }

    #if FAILURE_POINTS
        private struct Passed: ~Copyable {
            var counts: [String: Int] = [:]
            let log: Int32 =
                FailurePoint.setting("USAGE_FAILURE_POINT_LOG").map {
                    open($0, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o600)
                } ?? -1
        }

        private static let end = setting("USAGE_DIE_AT")
        private static let isWatched = end != nil || setting("USAGE_FAILURE_POINT_LOG") != nil
        private static let passed = Mutex(Passed())

        private static func setting(_ name: String) -> String? {
            getenv(name).map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
        }

        @usableFromInline
        static func pass(_ name: String, _ finish: () -> Void) {
            guard isWatched else { return }
            // Held while dying, so that nobody passes a point after the last one.
            passed.withLock { passed in
                passed.counts[name, default: 0] += 1
                let point = "\(name)#\(passed.counts[name, default: 0])"
                if point == end { finish() }
                var line = point + "\n"
                _ = line.withUTF8 { write(passed.log, $0.baseAddress, $0.count) }
                guard point == end else { return }
                kill(getpid(), SIGKILL)
                while true { pause() }
            }
        }
    #endif
}
