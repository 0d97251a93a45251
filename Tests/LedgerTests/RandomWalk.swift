import Accounting
import Foundation
import Ledger
import Postgres
import TestDatabase
import Testing

/// The same numbers for the same seed, on every machine. Source: Steele, Lea and Flood 2014, SplitMix64.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

/// All that can be done to a wallet's books, in any order, by whoever is late, early, wrong or twice.
struct RandomWalk {
    let ledger: Ledger
    var random: SeededGenerator
    var now = Date.utc("2026-05-30T12:00:00Z")
    private var tasks: [TaskID] = []
    /// Not sent yet, so the provider cannot know them.
    private var incomplete: Set<TaskID> = []
    private var leases: [LeasedTask] = []
    private var submissions: [TaskSubmission] = []
    private var starts: [ReadingStart] = []
    private(set) var counts: [String: Int] = [:]

    init(_ ledger: Ledger, seed: UInt64) {
        self.ledger = ledger
        random = SeededGenerator(state: seed)
    }

    static func prepare(_ ledger: Ledger) async throws {
        for project in ["beta", "gamma"] { try await ledger.createProject(project, month: .credits(2000), at: .sample) }
        try await ledger.setPrice(.sample(84, ("duration", "10")))
        try await ledger.setPrice(.sample(5, model: "cheap"))
    }

    mutating func step() async throws {
        now += Double.random(in: 0...600, using: &random)
        switch Int.random(in: 0..<100, using: &random) {
        case ..<35: try await reserve()
        case ..<48:
            // Most leases have ended by the database's clock; some never do.
            leases += try await ledger.claim(
                upTo: Int.random(in: 1...4, using: &random), at: now, leaseUntil: pick([now + 900, now + 900, .late]))
        case ..<63: try await accept()
        case ..<80: try await settle()
        case ..<84: try await resolve()
        case ..<88: try await record()
        case ..<92: try await giveBack()
        case ..<94: try await setBudget()
        case ..<98: try await read()
        default: try await store()
        }
    }

    /// Asks the guard, having foretold its answer from the lists that people see.
    private mutating func reserve() async throws {
        if let again = submissions.randomElement(using: &random), Int.random(in: 0..<10, using: &random) == 0 {
            _ = try await ledger.reserve(again)
            return count("asked again")
        }
        let isCheap = Bool.random(using: &random)
        let isLong = !isCheap && Int.random(in: 0..<4, using: &random) == 0
        let submission = TaskSubmission.sample(
            pick(["alpha", "beta", "gamma"]), model: isCheap ? "cheap" : "kling-v2-5-turbo-pro",
            with: isLong ? ["duration": "10"] : [:], body: Int.random(in: 0..<5, using: &random) == 0 ? nil : "{}",
            at: now)
        let amount = Credits(isCheap ? 5 : isLong ? 84 : 42)
        let wallet = try await ledger.balance
        let budgets = try await ledger.budgets(of: submission.project, at: now)
        let fits =
            wallet.gate == nil && amount <= wallet.available ?? .zero
            && budgets.allSatisfy { $0.charged + $0.held + amount <= $0.limit }
        let outcome = try await ledger.reserve(submission)
        #expect((outcome.reservation != nil) == fits)
        submissions.append(submission)
        guard let reservation = outcome.reservation else { return count("refused") }
        #expect(reservation.amount == amount)
        tasks.append(reservation.taskID)
        if submission.body == nil { incomplete.insert(reservation.taskID) }
        count("reserved")
    }

    private mutating func accept() async throws {
        guard let task = recentTask(), !incomplete.contains(task) else { return }
        let isOther = Int.random(in: 0..<20, using: &random) == 0
        let outcome = try await ledger.accept(
            task, as: isOther ? "p-other" : nil, reserved: pick([nil, 42, 42, 42, 42, 0, 10, 60]), at: now)
        count("accept: \(outcome.rawValue)")
    }

    private mutating func settle() async throws {
        guard let lease = leases.suffix(12).randomElement(using: &random) else { return }
        let outcome: Settlement.Outcome = pick([.succeeded, .succeeded, .failed, .failed, .rejected])
        let charged: Int64 =
            outcome == .rejected ? 0 : pick(outcome == .failed ? [0, 0, 0, 10] : [42, 42, 42, 40, 84, 0])
        let booked = try await ledger.settle(
            lease.id, lease.leaseToken, outcome, charged: charged, at: now, recheckAt: pick([nil, now + 600]))
        count("settle: \(booked.rawValue)")
    }

    private mutating func resolve() async throws {
        guard let task = Bool.random(using: &random) ? leases.last?.id : recentTask() else { return }
        let booked = try await ledger.resolve(task, charged: pick([0, 0, 42, 10, 60]), at: now)
        count("resolve: \(booked.rawValue)")
    }

    private mutating func record() async throws {
        let code = pick(["no_answer", "rate_limited", "insufficient_credits"])
        let task = Int.random(in: 0..<5, using: &random) == 0 ? nil : recentTask()
        let act: RecordedError.Act = task == nil ? .credits : pick([.create, .status, .task, .upload])
        for _ in 0..<pick([1, 1, 2]) { try await ledger.record(code, of: task, act, at: now) }
        count("error")
    }

    private mutating func giveBack() async throws {
        guard let lease = leases.suffix(12).randomElement(using: &random) else { return }
        let state: Schedule.State =
            lease.isSettled ? .settled : lease.providerTaskID == nil ? pick([.queued, .unknown]) : .accepted
        try await ledger.schedule([
            Schedule(taskID: lease.id, leaseToken: lease.leaseToken, state: state, dueAt: now + 60, polled: true)
        ])
        count("given back")
    }

    private mutating func setBudget() async throws {
        let period: BudgetPeriod = pick([.day, .month, .total])
        let limit: Int64? = pick(period == .month ? [500, 2000, 5000] : [nil, nil, 300, 2000])
        try await ledger.setBudget(of: pick(["alpha", "beta", "gamma"]), period, to: limit.map(Credits.init), at: now)
        count("budget")
    }

    /// Begins a reading now and ends it some time later, perhaps after the next.
    private mutating func read() async throws {
        starts.append(try await ledger.beginReading())
        guard starts.count > 2 || Bool.random(using: &random) else { return }
        let start = starts.remove(at: Int.random(in: 0..<starts.count, using: &random))
        let current = Credits(Int64.random(in: 200...6000, using: &random))
        let reading = try await ledger.finishReading(start, current: current, at: now)
        count(reading.isNewest ? "read" : "read late")
    }

    private mutating func store() async throws {
        guard let task = recentTask() else { return }
        let isStored = try await ledger.store(request: Array("{}".utf8), of: task, at: now)
        if isStored { incomplete.remove(task) }
        count(isStored ? "stored" : "stored before")
    }

    private mutating func recentTask() -> TaskID? { tasks.suffix(20).randomElement(using: &random) }

    private mutating func pick<Value>(_ values: [Value]) -> Value {
        values[Int.random(in: values.indices, using: &random)]
    }

    private mutating func count(_ what: String) { counts[what, default: 0] += 1 }
}
