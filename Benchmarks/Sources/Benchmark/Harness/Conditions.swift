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
    /// Those of the server and of a connection that are not at their defaults, by where they were set.
    let changedSettings: [String: [String: String]]
    /// What is said of the server's memory.
    let serverMemory = ServerUse.memoryInWords
    /// The commit of the folder in which this program was built, `-dirty` if files were changed since; nil if it is in none.
    let commit: String?
    let rounds: Int
    let seconds: Int
    /// Whether there are enough rounds for figures to keep.
    let hasEnoughRounds: Bool

    /// Fewer only show that it works.
    private static let leastRounds = 5

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
            version: "PostgreSQL " + (try version.decode(at: 0)), settings: settings,
            changedSettings: try await changedSettings(stage.server), commit: await commit(), rounds: stage.rounds,
            seconds: stage.seconds, hasEnoughRounds: stage.rounds >= leastRounds)
    }

    /// The settings that are not at their defaults: no figure would mean anything if one made the server faster.
    private static func changedSettings(_ server: BenchmarkServer) async throws -> [String: [String: String]] {
        // initdb writes some defaults into the file once more; those are equal to what the server was built with. What it
        // settles for good, checksums and the encoding, has no source.
        let rows = try await server.administration.query(
            """
            SELECT source, name, current_setting(name) AS value FROM pg_settings
            WHERE source NOT IN ('default', 'override') AND setting IS DISTINCT FROM boot_val
                OR name IN ('data_checksums', 'server_encoding')
            """)
        var changed: [String: [String: String]] = [:]
        for row in rows {
            let (source, name): (String, String) = (try row.decode("source"), try row.decode("name"))
            guard harmless.contains(name) else {
                throw Mistake(
                    "The server's \(name) is not at its default (\(source)); the figures would not say what it does.")
            }
            changed[source == "default" ? "initdb" : source, default: [:]][name] = try row.decode("value")
        }
        return changed
    }

    /// What a server and a connection of this program have otherwise, and what makes nothing faster: where it listens, what it
    /// logs, languages, time zones, timeouts, and checksums of pages, which cost something.
    private static let harmless: Set = [
        "listen_addresses", "port", "unix_socket_directories", "unix_socket_permissions", "log_error_verbosity",
        "TimeZone", "log_timezone", "DateStyle", "lc_messages", "lc_monetary", "lc_numeric", "lc_time",
        "default_text_search_config", "data_checksums", "server_encoding", "application_name", "client_encoding",
        "IntervalStyle", "statement_timeout", "max_stack_depth",
    ]

    private static func commit() async -> String? {
        guard let folder = Bundle.main.executableURL?.deletingLastPathComponent().path(),
            let scratch = try? ScratchFolder()
        else { return nil }
        let arguments = ["git", "-C", folder, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
        let answer = try? await Program.run("/usr/bin/env", arguments, in: scratch).output
        return answer?.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// The conditions as lines of text.
    var text: String {
        let few = hasEnoughRounds ? "" : "TOO FEW ROUNDS for figures to keep, which need \(Self.leastRounds): "
        let changed = changedSettings.sorted { $0.key < $1.key }.map { "\($0.key): \(Self.text($0.value))" }
        return """
            \(version), \(cores) cores, load average \(loadAverage?.shown ?? "unknown") at the start, \
            8 KiB and fdatasync: \(fdatasyncMicroseconds.shown) us
            commit \(commit ?? "unknown")
            \(Self.text(settings))
            not at their defaults: \(changed.joined(separator: "; "))
            \(few)\(rounds) rounds of \(seconds) s for each part, in turns, after a warm-up; medians over the rounds
            client MB: the most that it had resident in any round; of ours in one process it is all of this program
            server MB: \(serverMemory)
            the time of a ceiling is without that for making its arrays; its CPU and latencies are with it

            """
    }

    private static func text(_ settings: [String: String]) -> String {
        settings.sorted { $0.key < $1.key }.map { "\($0.key) = \($0.value)" }.joined(separator: ", ")
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
