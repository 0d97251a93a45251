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
    /// What these figures hang on besides the conditions of the whole run, such as the version of a yardstick.
    var conditions: [String] = []
    /// Where the books do not add up; empty if they do.
    var problems: [String] = []
}

/// A single figure.
struct Figure: Encodable, Sendable {
    /// What it tells.
    let name: String
    /// How much.
    let spread: Spread
    /// In what, such as `ms`.
    let unit: String

    /// One that is seen once.
    init(name: String, value: Double, unit: String) {
        self.init(name: name, spread: Spread(byRound: [value]), unit: unit)
    }

    init(name: String, spread: Spread, unit: String) {
        self.name = name
        self.spread = spread
        self.unit = unit
    }

    /// How much of one series another makes.
    init(of one: Series, beside other: Series) {
        self.init(name: "\(one.name), of \(other.name)", spread: .ratio(one, to: other), unit: "times")
    }
}

/// One of the project's aims for speed, beside the figure of this run.
struct Aim: Encodable, Sendable {
    /// The aim in words.
    let aim: String
    /// The figure in words, with its spread.
    let figure: String
    /// The figure in numbers; nil where it could not be measured.
    let spread: Spread?
    /// Whether the median reaches it.
    let isReached: Bool

    /// - Parameter figure: The figure in words, where more is to be said than the spread and its unit.
    init(_ aim: String, _ spread: Spread, _ unit: String, figure: String? = nil, isReached: (Double) -> Bool) {
        self.aim = aim
        self.figure = figure ?? "\(spread.text) \(unit)"
        self.spread = spread
        self.isReached = isReached(spread.median)
    }

    init(_ aim: String, _ spread: Spread, _ unit: String = "times", atLeast bound: Double) {
        self.init(aim, spread, unit) { $0 >= bound }
    }

    init(_ aim: String, _ spread: Spread, _ unit: String = "times", atMost bound: Double) {
        self.init(aim, spread, unit) { $0 <= bound }
    }

    /// One whose yardstick is not there.
    init(_ aim: String, missing yardstick: String) {
        self.aim = aim
        figure = "\(yardstick) is missing"
        spread = nil
        isReached = false
    }
}
