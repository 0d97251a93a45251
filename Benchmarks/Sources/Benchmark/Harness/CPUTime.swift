import Foundation

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// The CPU time of this process.
enum CPUTime {
    /// CPU seconds so far.
    static var ownSeconds: Double {
        var usage = rusage()
        #if canImport(Glibc)
            getrusage(RUSAGE_SELF.rawValue, &usage)
        #else
            getrusage(RUSAGE_SELF, &usage)
        #endif
        return usage.cpuSeconds
    }
}

extension BenchmarkServer {
    /// CPU seconds of all of the server's processes so far, those that have ended included; nil where the system does not
    /// tell. Good to a hundredth of a second for each process.
    var cpuSeconds: Double? {
        // A process that is taken over by its parent while the others are read would be missed: then all are read again.
        for _ in 0..<10 {
            guard let before = ProcessTimes(processID) else { return nil }
            let children = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
            let times = children.compactMap { Int32($0) }.compactMap(ProcessTimes.init).filter {
                $0.parent == processID
            }
            guard let after = ProcessTimes(processID), after.ended == before.ended else { continue }
            let ticks = ([after] + times).map { $0.own + $0.ended }.reduce(0, +)
            return Double(ticks) / Double(sysconf(Int32(_SC_CLK_TCK)))
        }
        return nil
    }
}

/// What the system tells of a process, in clock ticks.
struct ProcessTimes {
    let parent: Int32
    let own: Int
    let ended: Int

    /// CPU seconds of the process itself.
    var ownSeconds: Double { Double(own) / Double(sysconf(Int32(_SC_CLK_TCK))) }

    init?(_ process: Int32) {
        guard let text = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8),
            let end = text.lastIndex(of: ")")
        else { return nil }
        // Counted from the state, the field after the name. Source: proc(5), /proc/pid/stat.
        let fields = text[text.index(after: end)...].split(separator: " ")
        guard fields.count > 14, let parent = Int32(fields[1]) else { return nil }
        let ticks = fields[11...14].compactMap { Int($0) }
        guard ticks.count == 4 else { return nil }
        self.parent = parent
        own = ticks[0] + ticks[1]
        ended = ticks[2] + ticks[3]
    }
}

/// The memory of this process.
enum Memory {
    /// The most that was resident since the last ``forget()``, in bytes; nil where the system does not tell.
    static var peakBytes: Int? { bytes("VmHWM", of: "self") }

    /// What a process has resident now, in bytes; nil where the system does not tell.
    static func residentBytes(of process: Int32) -> Int? { bytes("VmRSS", of: String(process)) }

    private static func bytes(_ name: String, of process: String) -> Int? {
        guard let text = try? String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8),
            let line = text.split(separator: "\n").first(where: { $0.hasPrefix("\(name):") }),
            let kilobytes = line.split(separator: " ").dropFirst().first.flatMap({ Int($0) })
        else { return nil }
        return kilobytes * 1024
    }

    /// Begins a new peak. Source: proc(5), /proc/pid/clear_refs.
    static func forget() { try? Data("5".utf8).write(to: URL(filePath: "/proc/self/clear_refs")) }
}
