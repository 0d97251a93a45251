import Foundation
import Postgres

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// What the figures hang on.
struct Conditions: Encodable, Sendable {
    let startedAt: Date
    let cores: Int
    /// Of the last minute, before anything was measured.
    let loadAverage: Double?
    /// Median time of writing 8 KiB and flushing it to the disk of the data folder, in microseconds.
    let fdatasyncMicroseconds: Double
    /// The server's own words.
    let version: String
    let settings: [String: String]
    let rounds: Int
    let seconds: Int

    static func find(_ stage: Stage) async throws -> Conditions {
        let load = try? String(contentsOfFile: "/proc/loadavg", encoding: .utf8).split(separator: " ").first
        var settings: [String: String] = [:]
        for name in [
            "fsync", "synchronous_commit", "full_page_writes", "wal_sync_method", "wal_level", "data_checksums",
            "shared_buffers", "max_wal_size", "checkpoint_timeout", "max_connections", "autovacuum", "jit",
        ] {
            settings[name] = try await stage.server.administration.query("SELECT current_setting($1)", name)[0]
                .decode(at: 0)
        }
        let version = try await stage.server.administration.query("SELECT current_setting('server_version')")[0]
        guard settings["fsync"] == "on", settings["synchronous_commit"] == "on" else {
            throw Mistake("The server does not sync to disk; no figure would mean anything.")
        }
        return Conditions(
            startedAt: Date(), cores: ProcessInfo.processInfo.activeProcessorCount,
            loadAverage: load.flatMap { Double($0) },
            fdatasyncMicroseconds: try flushTime(in: stage.server.dataDirectory),
            version: "PostgreSQL " + (try version.decode(at: 0)), settings: settings, rounds: stage.rounds,
            seconds: stage.seconds)
    }

    /// The conditions as lines of text.
    var text: String {
        let all = settings.sorted { $0.key < $1.key }.map { "\($0.key) = \($0.value)" }
        return """
            \(version), \(cores) cores, load average \(loadAverage?.shown ?? "unknown") at the start, \
            8 KiB and fdatasync: \(fdatasyncMicroseconds.shown) us
            \(all.joined(separator: ", "))
            \(rounds) rounds of \(seconds) s for each part, in turns, after a warm-up; medians over the rounds

            """
    }

    private static func flushTime(in folder: String) throws -> Double {
        let path = "\(folder)/benchmark.flush"
        let file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw Mistake("\(path) cannot be made.") }
        defer {
            close(file)
            unlink(path)
        }
        let page = [UInt8](repeating: 7, count: 8192)
        // The file has its size before, as the server's log files do.
        for place in 0..<200 { _ = pwrite(file, page, page.count, off_t(place * page.count)) }
        fsync(file)
        return (0..<200).map { place in
            let start = ContinuousClock.now
            _ = pwrite(file, page, page.count, off_t(place * page.count))
            #if canImport(Glibc)
                fdatasync(file)
            #else
                _ = fcntl(file, F_FULLFSYNC)
            #endif
            return Double((ContinuousClock.now - start).nanoseconds) / 1000
        }.median
    }
}

extension Duration {
    /// Whole nanoseconds.
    var nanoseconds: Int64 {
        let (seconds, attoseconds) = components
        return seconds * 1_000_000_000 + attoseconds / 1_000_000_000
    }
}
