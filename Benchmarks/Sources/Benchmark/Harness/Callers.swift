/// Callers in a closed loop: each asks, waits for its answer, and asks again.
struct Callers: Sendable {
    /// How many ask at once.
    let count: Int
    /// One operation of the caller with a number from 0.
    let act: @Sendable (Int) async throws -> Void
    /// Whether they stop before their time.
    var isOver: @Sendable () -> Bool = { false }

    /// Lets them all ask until a moment, and waits for the last answers.
    func run(until end: ContinuousClock.Instant, on server: BenchmarkServer?) async throws -> Sample {
        Memory.forget()
        let (client, before) = (CPUTime.ownSeconds, server?.cpuSeconds)
        let start = ContinuousClock.now
        let latencies = try await withThrowingTaskGroup(of: [Int64].self) { group in
            for caller in 0..<count {
                group.addTask {
                    var latencies: [Int64] = []
                    var asked = ContinuousClock.now
                    while asked < end && !isOver() {
                        try await act(caller)
                        let answered = ContinuousClock.now
                        latencies.append((answered - asked).nanoseconds)
                        asked = answered
                    }
                    return latencies
                }
            }
            var all: [Int64] = []
            for try await some in group { all += some }
            return all
        }
        let seconds = Double((ContinuousClock.now - start).nanoseconds) / 1e9
        let (clientAfter, after) = (CPUTime.ownSeconds, server?.cpuSeconds)
        return Sample(
            operations: latencies.count, seconds: seconds, latencies: latencies.sorted(),
            clientCPUSeconds: clientAfter - client,
            serverCPUSeconds: before.flatMap { before in after.map { $0 - before } },
            clientPeakBytes: Memory.peakBytes)
    }

    /// Lets them all ask for so long.
    func run(seconds: Int, on server: BenchmarkServer) async throws -> Sample {
        try await run(until: .now + .seconds(seconds), on: server)
    }
}
