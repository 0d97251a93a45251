/// What one part did in one round.
struct Sample: Codable, Sendable {
    /// How many operations were answered.
    var operations: Int
    /// How long all of it took.
    var seconds: Double
    /// How long each caller waited, in nanoseconds, shortest first.
    var latencies: [Int64]
    /// CPU seconds of the client; nil where they cannot be told.
    var clientCPUSeconds: Double?
    /// CPU seconds of all of the server's processes; nil where they cannot be told.
    var serverCPUSeconds: Double?
    /// The most memory that the client had resident, in bytes.
    var clientPeakBytes: Int?
    /// How many operations shared a transaction.
    var groupSize: Int?

    var operationsPerSecond: Double { Double(operations) / seconds }

    /// The same with a group size.
    func grouped(_ size: Int) -> Sample {
        var sample = self
        sample.groupSize = size
        return sample
    }

    /// The wait that a share of the callers did not exceed, in milliseconds: the nearest rank.
    func latency(_ share: Double) -> Double {
        guard !latencies.isEmpty else { return .nan }
        let rank = Int((share * Double(latencies.count)).rounded(.up))
        return Double(latencies[min(max(rank, 1), latencies.count) - 1]) / 1e6
    }
}

/// The samples of one part.
struct Series: Encodable, Sendable {
    /// Whose they are: `ours`, `naive` or `ceiling`, for example.
    let name: String
    /// One for each round, the warm-up left out.
    var samples: [Sample] = []

    var operationsPerSecond: Double { samples.map(\.operationsPerSecond).median }
    func latency(_ share: Double) -> Double { samples.map { $0.latency(share) }.median }

    /// CPU seconds for a thousand operations.
    var clientCPU: Double? { perThousand(\.clientCPUSeconds) }
    var serverCPU: Double? { perThousand(\.serverCPUSeconds) }
    var clientPeakBytes: Int? { samples.compactMap(\.clientPeakBytes).max() }
    var groupSize: Int? {
        let sizes = samples.compactMap(\.groupSize)
        return sizes.isEmpty ? nil : Int(sizes.map(Double.init).median)
    }

    private func perThousand(_ seconds: KeyPath<Sample, Double?>) -> Double? {
        let all = samples.compactMap { sample in
            sample[keyPath: seconds].map { $0 * 1000 / Double(max(sample.operations, 1)) }
        }
        return all.isEmpty ? nil : all.median
    }

    private enum CodingKeys: String, CodingKey {
        case name, operationsPerSecond, operationsPerSecondByRound, latencyP50Milliseconds, latencyP99Milliseconds
        case latencyP999Milliseconds, clientCPUSecondsPerThousand, serverCPUSecondsPerThousand, clientPeakBytes,
            groupSize
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(name, forKey: .name)
        try container.encode(operationsPerSecond, forKey: .operationsPerSecond)
        try container.encode(samples.map(\.operationsPerSecond), forKey: .operationsPerSecondByRound)
        if samples.contains(where: { !$0.latencies.isEmpty }) {
            try container.encode(latency(0.5), forKey: .latencyP50Milliseconds)
            try container.encode(latency(0.99), forKey: .latencyP99Milliseconds)
            try container.encode(latency(0.999), forKey: .latencyP999Milliseconds)
        }
        try container.encodeIfPresent(clientCPU, forKey: .clientCPUSecondsPerThousand)
        try container.encodeIfPresent(serverCPU, forKey: .serverCPUSecondsPerThousand)
        try container.encodeIfPresent(clientPeakBytes, forKey: .clientPeakBytes)
        try container.encodeIfPresent(groupSize, forKey: .groupSize)
    }
}

extension [Double] {
    /// The middle one, or the mean of the two in the middle.
    var median: Double {
        guard !isEmpty else { return .nan }
        let sorted = sorted()
        return (sorted[(count - 1) / 2] + sorted[count / 2]) / 2
    }
}
