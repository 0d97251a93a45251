/// One benchmark: what it measures, and how.
protocol Measurement: Sendable {
    /// Its name on the command line.
    var name: String { get }
    /// What it shows, in one line.
    var summary: String { get }
    /// Sets up, warms up, measures in turns, and checks the books.
    func run(_ stage: Stage) async throws -> Report
}

/// What a benchmark found.
struct Report: Encodable, Sendable {
    /// What was measured in turns.
    var series: [Series] = []
    /// Single figures besides.
    var figures: [Figure] = []
    /// What was aimed for, and whether it is reached.
    var aims: [Aim] = []
    /// Where the books do not add up; empty if they do.
    var problems: [String] = []
}

/// A single figure.
struct Figure: Encodable, Sendable {
    /// What it tells.
    let name: String
    /// How much.
    let value: Double
    /// In what, such as `ms`.
    let unit: String
}

extension Figure {
    /// How much of one series another makes: the median.
    init(of one: Series, beside other: Series) {
        self.init(name: "\(one.name), of \(other.name)", value: Ratio(one, to: other).median, unit: "times")
    }
}

/// One of the project's aims for speed, beside the figure of this run.
struct Aim: Encodable, Sendable {
    /// The aim in words.
    let aim: String
    /// The figure in words, with its spread.
    let figure: String
    /// Whether the median reaches it.
    let isReached: Bool

    init(_ aim: String, figure: String, isReached: Bool) {
        self.aim = aim
        self.figure = figure
        self.isReached = isReached
    }

    /// A ratio that is to be at least so much.
    init(_ aim: String, _ ratio: Ratio, atLeast bound: Double) {
        self.init(aim, figure: ratio.text, isReached: ratio.median >= bound)
    }
}

/// How many times faster one series is than another, round by round.
struct Ratio: Sendable {
    let median: Double
    let least: Double
    let most: Double

    /// Compares operations per second of the same rounds.
    init(_ one: Series, to other: Series) {
        let ratios = zip(one.samples, other.samples).map { $0.operationsPerSecond / $1.operationsPerSecond }
        median = ratios.median
        least = ratios.min() ?? .nan
        most = ratios.max() ?? .nan
    }

    /// As in `21.3 times (19.8 to 23.0)`.
    var text: String { "\(median.shown) times (\(least.shown) to \(most.shown))" }
}
