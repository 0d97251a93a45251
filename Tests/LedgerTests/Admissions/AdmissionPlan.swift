import Accounting
import Foundation
import Ledger

/// What a seed wants: a wallet, its projects and tight budgets, and a thousand callers.
struct AdmissionPlan {
    /// How many ask in each seed.
    static let callers = 1000

    struct Caller: Sendable {
        let submission: TaskSubmission
        /// Which process it asks, and how long it dawdles before.
        let ledger: Int
        let yields: Int
    }

    /// What happens meanwhile.
    enum Change: Sendable {
        case budget(String, BudgetPeriod, Int64?)
        case reading(Int64)
    }

    let seed: UInt64
    let timeZone: String
    let ledgers: Int
    /// The first moment of a day, often of a month: requests come on both sides of it.
    let border: Date
    let projects: [String]
    /// What is asked for, accepted and charged before; nil stays held.
    private(set) var spent: [(submission: TaskSubmission, charged: Int64?)] = []
    private(set) var limits: [(project: String, period: BudgetPeriod, limit: Int64)] = []
    /// The provider's balance; nil where nobody has read it.
    let reading: Int64?
    private(set) var callers: [Caller] = []
    private(set) var changes: [(change: Change, yields: Int)] = []
    private var random: SeededGenerator

    init(seed: UInt64) {
        self.seed = seed
        var random = SeededGenerator(state: seed &* 0x2545_F491_4F6C_DD1D)
        let zones = ["UTC", "Europe/Berlin", "America/New_York", "Pacific/Auckland", "Asia/Kolkata"]
        timeZone = zones[Int.random(in: zones.indices, using: &random)]
        ledgers = Int.random(in: 2...4, using: &random)
        projects = Array(["alpha", "beta", "gamma", "delta", "epsilon"].prefix(Int.random(in: 1...5, using: &random)))
        let month = Int.random(in: 2...36, using: &random)
        let day = Bool.random(using: &random) ? 1 : Int.random(in: 1...28, using: &random)
        border = CalendarDays(timeZone: timeZone).midnight(2026 + month / 12, 1 + month % 12, day)
        switch Int.random(in: 0..<10, using: &random) {
        case 0: reading = nil
        case ..<4: reading = 1_000_000
        case ..<8: reading = Int64.random(in: 1000...20_000, using: &random)
        default: reading = Int64.random(in: 0...200, using: &random)
        }
        self.random = random
        plan()
    }

    private mutating func plan() {
        if reading != nil {
            for _ in 0..<pick(0...12) {
                let submission = submission(named: nil, asking: "before")
                spent.append((submission, pick(0...3) == 0 ? nil : Int64(pick(0...5))))
            }
        }
        for project in projects {
            for period in BudgetPeriod.allCases where period == .month || pick(0...1) == 0 {
                limits.append((project, period, limit()))
            }
        }
        let isHurried = Bool.random(using: &random)
        var asked: [TaskSubmission] = []
        for place in 0..<AdmissionPlan.callers {
            let submission: TaskSubmission
            if let first = asked.randomElement(using: &random), pick(0...9) == 0 {
                submission = again(first)
            } else {
                submission = self.submission(named: pick(0...3) == 0 ? nil : "order-\(place)", asking: "a boat")
            }
            asked.append(submission)
            callers.append(
                Caller(submission: submission, ledger: pick(0...ledgers - 1), yields: isHurried ? 0 : pick(0...60)))
        }
        for _ in 0..<max(0, pick(-3...6)) { changes.append((change(), pick(0...60))) }
    }

    private mutating func submission(named name: String?, asking question: String) -> TaskSubmission {
        let project = pick(0...99) == 0 ? "nobody" : projects[pick(0...projects.count - 1)]
        let isCheap = pick(0...2) == 0
        let isLong = !isCheap && pick(0...3) == 0
        return .sample(
            question == "before" ? projects[0] : project, model: isCheap ? "cheap" : "kling-v2-5-turbo-pro",
            with: isLong ? ["duration": "10"] : [:], named: name, asking: question, body: pick(0...4) == 0 ? nil : "{}",
            at: moment())
    }

    /// The same request once more, or another one under the same name.
    private mutating func again(_ first: TaskSubmission) -> TaskSubmission {
        let isOther = pick(0...9) == 0
        return TaskSubmission(
            taskID: .make(at: border), project: first.project, model: first.model, parameters: first.parameters,
            clientRequestID: first.clientRequestID, fingerprint: isOther ? Array("a train".utf8) : first.fingerprint,
            body: first.body, submittedAt: moment())
    }

    private mutating func moment() -> Date {
        border + [-86_400, -3600, -1, -0.001, 0, 0.001, 1, 3600, 86_400][pick(0...8)]
    }

    private mutating func change() -> Change {
        if reading == nil || pick(0...3) == 0 { return .reading(Int64(pick(0...20_000))) }
        let period = BudgetPeriod.allCases[pick(0...2)]
        let limit: Int64? = period != .month && pick(0...3) == 0 ? nil : limit()
        return .budget(projects[pick(0...projects.count - 1)], period, limit)
    }

    /// Tight: a few tasks, or a share of what a project asks for.
    private mutating func limit() -> Int64 { Int64(pick(0...2) == 0 ? pick(0...200) : pick(0...12_000)) }

    private mutating func pick(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &random) }
}
