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
