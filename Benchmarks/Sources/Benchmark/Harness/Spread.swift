/// A figure over the rounds.
struct Spread: Encodable, Sendable {
    /// One for each round; one alone where there are no rounds.
    let byRound: [Double]

    var least: Double { byRound.min() ?? .nan }
    var median: Double { byRound.median }
    var most: Double { byRound.max() ?? .nan }

    /// How many times faster one series is than another, from the operations per second of the same rounds.
    static func ratio(_ one: Series, to other: Series) -> Spread {
        Spread(byRound: zip(one.samples, other.samples).map { $0.operationsPerSecond / $1.operationsPerSecond })
    }

    /// As in `21.3 (19.8 to 23.0)`.
    var text: String { byRound.count > 1 ? "\(median.shown) (\(least.shown) to \(most.shown))" : median.shown }

    private enum CodingKeys: String, CodingKey { case least, median, most, byRound }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(least, forKey: .least)
        try container.encode(median, forKey: .median)
        try container.encode(most, forKey: .most)
        try container.encode(byRound, forKey: .byRound)
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
