/// What happened on a day, as rows. Moments are microseconds since 2000-01-01 00:00 UTC; entries are numbers, 0 for none.
struct InventedDay: Sendable {
    /// A day in microseconds.
    static let length: Int64 = 86_400_000_000
    /// When the first task of a day may be submitted, and the last: what is submitted ends on the same day.
    static let opens: Int64 = 600_000_000
    static let closes: Int64 = 84_600_000_000

    /// How a task ends.
    enum Ending: UInt8, Sendable {
        case success, cheaper, failure, rejection
        /// Nobody knows, until a person says that it succeeded.
        case personsWord
        /// The provider says that it failed, and later that it succeeded.
        case failureTakenBack
    }

    struct Task: Sendable {
        let id: InventedID
        let model: Int
        let ending: Ending
        let submittedAt: Int64
        let acceptedAt: Int64
        let settledAt: Int64
        var project = 0
        var reservation: Int64 = 0
        var walletHeld: Int64 = 0
        var acceptance: Int64 = 0
        var settlement: Int64 = 0
        var correction: Int64 = 0
        var correctedAt: Int64 { settledAt + 600_000_000 }
        var credits: Int64 { InventedModel.all[model].credits }

        /// What the settlement takes for good.
        var charged: Int64 {
            switch ending {
            case .success, .personsWord: credits
            case .cheaper: credits - 2
            case .failure, .rejection, .failureTakenBack: 0
            }
        }

        var isSuccess: Bool { [.success, .cheaper, .personsWord].contains(ending) }
        var isAccepted: Bool { ending != .rejection && ending != .personsWord }
    }

    struct Refusal: Sendable {
        let id: InventedID
        let entry: Int64
        let project: Int
        let model: Int
        let at: Int64
        let reasons: [UInt8]
    }

    struct Failure: Sendable {
        enum Kind: UInt8, Sendable { case busy, noAnswer, failedTask, refusedRequest }

        let entry: Int64
        let task: InventedID
        let kind: Kind
        let at: Int64
    }

    struct Reading: Sendable {
        let entry: Int64
        let at: Int64
        let credits: Int64
        let unattributed: Int64
    }

    struct Total: Sendable {
        let day: Int32
        let project: Int
        let model: Int
        var tasks: Int64 = 0
        var succeeded: Int64 = 0
        var failed: Int64 = 0
        var refused: Int64 = 0
        var errors: Int64 = 0
        var reserved: Int64 = 0
        var charged: Int64 = 0
        var released: Int64 = 0
        var held: Int64 = 0
        var difference: Int64 = 0
    }

    struct Counter: Sendable {
        let project: Int
        let period: String
        let startsOn: Int32
        let held: Int64
        let charged: Int64
    }

    /// The day, in days since 2000-01-01.
    let number: Int
    /// The number of its first entry.
    let firstEntry: Int64
    var tasks: [Task] = []
    var refusals: [Refusal] = []
    var failures: [Failure] = []
    var readings: [Reading] = []
    var totals: [Total] = []
    /// Of the periods that end with this day.
    var counters: [Counter] = []

    init(_ number: Int, firstEntry: Int64) {
        self.number = number
        self.firstEntry = firstEntry
    }

    var start: Int64 { Int64(number) * InventedDay.length }

    /// How much of a day's work comes up to a time of day, from 0 to 1: little at night, most at office hours.
    static func share(until time: Int64) -> Double {
        zip(times, times.dropFirst()).reduce(0) { sum, span in
            let passed = Double(min(max(time, span.0.at), span.1.at) - span.0.at) / Double(span.1.at - span.0.at)
            return sum + passed * (span.1.share - span.0.share)
        }
    }

    /// The time of day by which a share of its work has come.
    static func time(of share: Double) -> Int64 {
        for (from, to) in zip(times, times.dropFirst()) where share <= to.share {
            return from.at + Int64(Double(to.at - from.at) * (share - from.share) / (to.share - from.share))
        }
        return closes
    }

    private static let times: [(at: Int64, share: Double)] = [
        (opens, 0), (25_200_000_000, 0.08), (68_400_000_000, 0.85), (closes, 1),
    ]
}
