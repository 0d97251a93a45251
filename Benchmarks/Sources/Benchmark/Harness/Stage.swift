/// What benchmarks run on, and for how long.
struct Stage: Sendable {
    /// The server of this run.
    let server: BenchmarkServer
    /// How often each part is measured.
    let rounds: Int
    /// How long each part runs in a round.
    let seconds: Int

    /// One turn of all parts.
    struct Round: Sendable {
        /// 0 warms up; that one and the last, in which memory is looked at, are not counted.
        let number: Int
        /// How long each part runs.
        let seconds: Int
        /// What the parts before this one did in this turn.
        let samples: [Sample]
    }

    /// A part of a benchmark: ours, or a yardstick.
    struct Part: Sendable {
        let name: String
        let run: @Sendable (Round) async throws -> Sample

        init(_ name: String, run: @escaping @Sendable (Round) async throws -> Sample) {
            self.name = name
            self.run = run
        }
    }

    /// Warms all parts up, then measures them in turns: A B A B …, and at last looks at the server's memory in a turn apart.
    ///
    /// Before each turn of a part what the others wrote is flushed, so that it pays for its own pages alone.
    func interleave(_ parts: [Part]) async throws -> [Series] {
        var series = parts.map { Series(name: $0.name) }
        for number in 0...rounds + 1 {
            let isCounted = 1...rounds ~= number
            var samples: [Sample] = []
            for part in parts {
                try await server.checkpoint()
                let round = Round(number: number, seconds: isCounted ? seconds : 1, samples: samples)
                let sample = try await ServerUse.$looksAtMemory.withValue(number > rounds) { try await part.run(round) }
                Progress.note(
                    "  \(isCounted ? "round \(number)" : number == 0 ? "warm-up" : "memory") \(part.name): "
                        + "\(sample.operationsPerSecond.shown) operations/s")
                samples.append(sample)
            }
            for (place, sample) in samples.enumerated() {
                if isCounted { series[place].samples.append(sample) }
                series[place].serverMemoryBytes = sample.serverMemoryBytes
            }
        }
        return series
    }
}
