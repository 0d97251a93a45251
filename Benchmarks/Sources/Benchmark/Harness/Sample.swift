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
    /// The memory of all of the server's processes, in bytes; see ``ServerUse``.
    var serverMemoryBytes: Int?
    /// How many operations shared a transaction.
    var groupSize: Int?

    var operationsPerSecond: Double { Double(operations) / seconds }

    /// The same with a group size.
    func grouped(_ size: Int) -> Sample {
        var sample = self
        sample.groupSize = size
        return sample
    }

    /// The same with what the server used for it.
    func served(_ use: ServerUse) -> Sample {
        var sample = self
        (sample.serverCPUSeconds, sample.serverMemoryBytes) = (use.cpuSeconds, use.memoryBytes)
        return sample
    }

    /// So much for a thousand operations.
    func perThousand(_ amount: Double?) -> Double? { amount.map { $0 * 1000 / Double(max(operations, 1)) } }

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
    /// One for each round that counts.
    var samples: [Sample] = []
    /// The memory of all of the server's processes, in bytes; see ``ServerUse``.
    var serverMemoryBytes: Int?

    var operationsPerSecond: Spread { spread { $0.operationsPerSecond } }
    func latency(_ share: Double) -> Spread { spread { $0.latency(share) } }
    /// CPU seconds for a thousand operations.
    var clientCPU: Spread? { known { $0.perThousand($0.clientCPUSeconds) } }
    var serverCPU: Spread? { known { $0.perThousand($0.serverCPUSeconds) } }
    var clientPeakBytes: Spread? { known { $0.clientPeakBytes.map(Double.init) } }
    var groupSize: Spread? { known { $0.groupSize.map(Double.init) } }

    private func spread(_ figure: (Sample) -> Double) -> Spread { Spread(byRound: samples.map(figure)) }

    private func known(_ figure: (Sample) -> Double?) -> Spread? {
        let all = samples.compactMap(figure)
        return all.isEmpty ? nil : Spread(byRound: all)
    }

    private enum CodingKeys: String, CodingKey {
        case name, operationsPerSecond, latencyP50Milliseconds, latencyP99Milliseconds, latencyP999Milliseconds
        case clientCPUSecondsPerThousand, serverCPUSecondsPerThousand, clientPeakBytes, serverMemoryBytes, groupSize
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(name, forKey: .name)
        try container.encode(operationsPerSecond, forKey: .operationsPerSecond)
        if samples.contains(where: { !$0.latencies.isEmpty }) {
            try container.encode(latency(0.5), forKey: .latencyP50Milliseconds)
            try container.encode(latency(0.99), forKey: .latencyP99Milliseconds)
            try container.encode(latency(0.999), forKey: .latencyP999Milliseconds)
        }
        try container.encodeIfPresent(clientCPU, forKey: .clientCPUSecondsPerThousand)
        try container.encodeIfPresent(serverCPU, forKey: .serverCPUSecondsPerThousand)
        try container.encodeIfPresent(clientPeakBytes, forKey: .clientPeakBytes)
        try container.encodeIfPresent(serverMemoryBytes, forKey: .serverMemoryBytes)
        try container.encodeIfPresent(groupSize, forKey: .groupSize)
    }
}
