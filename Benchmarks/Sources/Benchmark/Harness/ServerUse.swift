import Dispatch
import Foundation

/// What the server used for a part of a round.
struct ServerUse: Sendable {
    /// CPU seconds of all of its processes; nil where they cannot be told.
    let cpuSeconds: Double?
    /// Memory of all of its processes; nil where it cannot be told.
    let memoryBytes: Int?

    /// Whether its memory is looked at: that takes up to a millisecond for each process, so not where speed is measured.
    @TaskLocal static var looksAtMemory = true

    /// What is said of its memory beside the figures.
    static let memoryInWords =
        "the sum of its processes' shares (Pss), seen after all rounds, in a turn that is not counted"
}

extension BenchmarkServer {
    /// Lets a body run for some seconds, and answers with what the server used meanwhile.
    ///
    /// Its memory is looked at once, at half of the time or at the end.
    func watch<Value>(
        seconds: Int, _ body: () async throws -> Value
    ) async throws -> (value: Value, use: ServerUse) {
        try await withThrowingTaskGroup(of: Int?.self) { group in
            group.addTask {
                guard ServerUse.looksAtMemory else { return nil }
                try? await Task.sleep(for: .seconds(seconds) / 2)
                return await memory()
            }
            let before = cpuSeconds
            let value = try await body()
            let after = cpuSeconds
            group.cancelAll()
            let bytes = try await group.next() ?? nil
            return (
                value, ServerUse(cpuSeconds: before.flatMap { before in after.map { $0 - before } }, memoryBytes: bytes)
            )
        }
    }

    /// Read on a thread apart, so that no caller waits for it.
    private func memory() async -> Int? {
        await withCheckedContinuation { continuation in
            DispatchQueue.global().async {
                let all = ([processID] + children.keys).compactMap(Memory.proportionalBytes)
                continuation.resume(returning: all.isEmpty ? nil : all.reduce(0, +))
            }
        }
    }

    /// CPU seconds of all of the server's processes so far, those that have ended included; nil where the system does not
    /// tell. Good to a hundredth of a second for each process.
    var cpuSeconds: Double? {
        // A process that is taken over by its parent while the others are read would be missed: then all are read again.
        for _ in 0..<10 {
            guard let before = ProcessTimes(processID) else { return nil }
            let times = children.values
            guard let after = ProcessTimes(processID), after.ended == before.ended else { continue }
            let ticks = ([after] + times).map { $0.own + $0.ended }.reduce(0, +)
            return Double(ticks) / Double(sysconf(Int32(_SC_CLK_TCK)))
        }
        return nil
    }

    /// The processes that the first one started.
    private var children: [pid_t: ProcessTimes] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        let all = names.compactMap { pid_t($0) }.compactMap { process in
            ProcessTimes(process).map { (process, $0) }
        }
        return Dictionary(uniqueKeysWithValues: all.filter { $0.1.parent == processID })
    }
}
