/// Callers in a closed loop: each asks, waits for its answer, and asks again.
struct Callers: Sendable {
    /// How many ask at once.
    let count: Int
    /// One operation of the caller with a number from 0; false, and not counted, if there was nothing left to do for it.
    let act: @Sendable (Int) async throws -> Bool

    /// Lets them all ask until a moment, and waits for the last answers.
    func run(until end: ContinuousClock.Instant) async throws -> Sample {
        Memory.forget()
        let client = CPUTime.ownSeconds
        let start = ContinuousClock.now
        let latencies = try await withThrowingTaskGroup(of: [Int64].self) { group in
            for caller in 0..<count {
                group.addTask {
                    var latencies: [Int64] = []
                    var asked = ContinuousClock.now
                    while asked < end, try await act(caller) {
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
        return Sample(
            operations: latencies.count, seconds: seconds, latencies: latencies.sorted(),
            clientCPUSeconds: CPUTime.ownSeconds - client, clientPeakBytes: Memory.peakBytes)
    }

    /// Lets them all ask for so long.
    func run(seconds: Int, on server: BenchmarkServer) async throws -> Sample {
        let (sample, use) = try await server.watch(seconds: seconds) { try await run(until: .now + .seconds(seconds)) }
        return sample.served(use)
    }
}
