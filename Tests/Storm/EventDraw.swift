import RivyaSandbox

/// Draws the events of one round.
struct EventDraw {
    private let plan: Plan
    private let round: Int
    private var random: Random
    private var drawn: [(at: Double, act: Event.Act)] = []

    init(plan: Plan, round: Int) {
        self.plan = plan
        self.round = round
        random = Random(seed: plan.seed, .round, round)
    }

    /// Place for the events of one round among all numbers.
    static let numbersPerRound = 1000
    /// Where the answer of the task that is named was lost, no client can tell that an answer is for another.
    private static let faults = Fault.allCases.filter { $0 != .answerOfAnother }

    mutating func events() -> [Event] {
        drawCallers()
        drawProcesses()
        drawConnections()
        drawProvider()
        drawPeople()
        if round > 0, random.chance(0.5) { drawJump() }
        let start = Double(round) * Plan.roundSeconds
        return drawn.sorted { $0.at < $1.at }.enumerated().map { place, event in
            Event(number: round * Self.numbersPerRound + place + 1, at: start + event.at, act: event.act)
        }
    }

    /// Adds an event at a random moment of the round.
    private mutating func add(_ act: Event.Act) {
        drawn.append((random.double(0...Plan.roundSeconds - 0.2), act))
    }

    private mutating func drawCallers() {
        for _ in 0..<random.int(5...12) { add(.submissions(count: random.int(1...4))) }
        if random.chance(0.25) { add(.submissions(count: random.int(15...50))) }
    }

    private mutating func drawProcesses() {
        let workers = plan.workers.indices
        for _ in 0..<random.int(1...3) { add(.killWorker(random.int(0...workers.count - 1))) }
        if random.chance(0.4) {
            add(.freezeWorkers([random.int(0...workers.count - 1)], seconds: random.double(2.5...4.5)))
        }
        if random.chance(0.4) { drawLateSuccess() }
        if random.chance(0.3) { add(.killPostgres(downSeconds: random.double(0...2))) }
        if random.chance(0.3) { add(.stopPostgresAtOnce(downSeconds: random.double(0...2))) }
        if random.chance(0.1) { add(.freezePostgres(seconds: random.double(0.5...2))) }
    }

    /// All workers of a wallet stand still until their leases are over, a person releases what they were sending, and
    /// then they go on: the provider's success comes after the release.
    private mutating func drawLateSuccess() {
        let wallet = random.pick(plan.wallets).slug
        let at = random.double(0...Plan.roundSeconds - 5)
        let workers = plan.workers.indices.filter { plan.workers[$0].slug == wallet }
        drawn.append((at, .submissions(count: 8)))
        drawn.append((at + 0.4, .freezeWorkers(workers, seconds: 4.2)))
        for pick in 0..<3 {
            drawn.append((at + 3 + Double(pick) / 10, .person(wallet: wallet, pick: pick, charged: nil)))
        }
    }

    private mutating func drawConnections() {
        for side in [Event.Side.provider, .database] {
            if random.chance(0.6) { add(.cutConnections(side, withinBytes: random.int(0...800))) }
            if random.chance(0.15) { add(.refuseConnections(side, seconds: random.double(0.3...1.5))) }
            // Often and hard enough that two rounds already show most of it.
            var weather = RelayWeather()
            if random.chance(0.7) { weather.cut = random.double(0.05...0.3) }
            if random.chance(0.7) { weather.delay = random.double(0.1...0.3) }
            if random.chance(0.5) { weather.hold = random.double(0.01...0.05) }
            if side == .provider {
                if random.chance(0.7) { weather.duplicate = random.double(0.1...0.4) }
                if random.chance(0.7) { weather.garbage = random.double(0.05...0.2) }
            }
            add(.weather(side, weather, seconds: random.double(2.5...5)))
        }
    }

    private mutating func drawProvider() {
        if random.chance(0.8) {
            var shares: [Fault: Double] = [:]
            for _ in 0..<random.int(1...4) { shares[random.pick(Self.faults)] = random.double(0.1...0.6) }
            add(.sandboxFaults(shares, seconds: random.double(1.5...5)))
        }
        if random.chance(0.3) { add(.holdCreates(seconds: random.double(0.5...4))) }
        let wallet = random.pick(plan.wallets).slug
        if random.chance(0.5) { add(.studio(wallet: wallet, credits: random.int(1...900))) }
        if random.chance(0.25) {
            // All that there is, and more again later.
            let at = random.double(0...Plan.roundSeconds - 4)
            drawn.append((at, .studio(wallet: wallet, credits: 1_000_000)))
            drawn.append((at + random.double(2...3.5), .studio(wallet: wallet, credits: -plan.openingCredits)))
        }
        if random.chance(0.4) { add(.studio(wallet: wallet, credits: -random.int(500...6000))) }
        if random.chance(0.3) { add(.insufficientCredits(random.chance(0.5) ? .error : .failedTask)) }
        for _ in 0..<random.int(0...3) where random.chance(0.5) {
            add(.revise(wallet: wallet, pick: random.int(0...20), credits: random.int(0...42)))
        }
    }

    private mutating func drawPeople() {
        for _ in 0..<random.int(1...3) {
            let wallet = random.pick(plan.wallets)
            add(
                .budget(
                    wallet: wallet.slug, project: random.pick(wallet.projects),
                    // What is used stays, so limits have to grow with the rounds.
                    month: random.int(0...(60 + 40 * round)) * 42,
                    day: random.chance(0.4) ? random.int(5...(60 + 40 * round)) * 42 : nil))
        }
        for _ in 0..<random.int(0...2) {
            add(
                .person(
                    wallet: random.pick(plan.wallets).slug, pick: random.int(0...10),
                    charged: random.chance(0.3) ? 42 : nil))
        }
    }

    private mutating func drawJump() {
        // Some weeks further on.
        let point = plan.firstTurningPoint + 7 * round - random.int(0...6)
        guard point < TurningPoint.all.count else { return }
        add(.jumpClock(turningPoint: point, secondsBefore: random.double(0.5...3)))
    }
}
