import Postgres
import RivyaSandbox

/// Years of an invented company's books, one day after the other, with all running totals.
///
/// Each day is told in the order in which things happen: requests are held against the budgets as the guard would, so
/// what is refused has its reason. At midnight nothing is under way; today ends now, with tasks still open.
struct InventedBooks: Sendable {
    /// The wallet's running totals, as in wallet_balance.
    struct Balance: Sendable {
        var lastEntry: Int64 = 0
        var reserved: Int64 = 0
        var charged: Int64 = 0
        var released: Int64 = 0
        var held: Int64 = 0
        var waiting: Int64 = 0
        var taken: Int64 = 0
        var returned: Int64 = 0
        var opening: Int64 = 0
        var unattributed: Int64 = 0
        var reading: Reading?

        struct Reading: Sendable {
            let entry: Int64
            let credits: Int64
            let taken: Int64
            let at: Int64
        }

        /// What the provider's page would show.
        var provider: Int64 { opening - (taken - returned) - unattributed }
    }

    /// What is used of a budget.
    struct Use: Sendable {
        var held: Int64 = 0
        var charged: Int64 = 0
        var isAsked = false
        var used: Int64 { held + charged }
    }

    let company: InventedCompany
    private(set) var balance: Balance
    private var random: SplitMix64
    private var nextDay = 0
    private let readingInterval: Int64
    private let usualDay: Int64
    // By project; the totals of a day by project and model.
    var month: [Use]
    var day: [Use]
    var whole: [Use]
    private var places: [Int]

    /// - Parameter lastEntry: How many entries there are already.
    init(_ company: InventedCompany, lastEntry: Int64, seed: Int) {
        self.company = company
        random = SplitMix64(seed: seed, stream: 0, number: 0)
        let tasks = company.tasksOfDays.reduce(0, +)
        usualDay = Int64(tasks / company.tasksOfDays.count + 1) * InventedCompany.usualCredits
        // A worker reads about every minute; small books are not drowned in readings.
        readingInterval = max(60_000_000, Int64(company.tasksOfDays.count) * InventedDay.length / Int64(tasks / 10 + 1))
        balance = Balance(lastEntry: lastEntry, opening: usualDay * 30)
        let none = Array(repeating: Use(), count: company.projects.count)
        (month, day, whole) = (none, none, none)
        places = Array(repeating: -1, count: company.projects.count * InventedModel.all.count)
    }

    /// Tells the next days, at least so many tasks unless the story ends; none at its end.
    mutating func nextDays(tasks: Int) -> [InventedDay] {
        var days: [InventedDay] = []
        var told = 0
        while nextDay < company.tasksOfDays.count, told < tasks {
            told += company.tasksOfDays[nextDay]
            days.append(tellNextDay())
        }
        return days
    }

    private mutating func tellNextDay() -> InventedDay {
        var told = InventedDay(company.firstDay + nextDay, firstEntry: balance.lastEntry + 1)
        var events = plan(&told)
        let isLast = nextDay == company.tasksOfDays.count - 1
        if isLast { events.removeAll { $0.at >= company.now } }
        events.sort { ($0.at, $0.kind.rawValue, $0.subject) < ($1.at, $1.kind.rawValue, $1.subject) }
        for place in places.indices { places[place] = -1 }
        for event in events { tell(event, in: &told) }
        // They come in the order of their submission, so only the last can be missing.
        told.tasks.removeAll { $0.reservation == 0 }
        close(&told, isLast: isLast)
        nextDay += 1
        return told
    }

    // MARK: What is going to happen

    private struct Event {
        enum Kind: UInt8 {
            case reading, submission, busy, refusedRequest, noAnswer, acceptance, failedTask, settlement, correction
        }

        let at: Int64
        let kind: Kind
        var subject: Int32 = 0
    }

    private mutating func plan(_ told: inout InventedDay) -> [Event] {
        let start = told.start
        let count = company.tasksOfDays[nextDay]
        var events: [Event] = []
        events.reserveCapacity(count * 3 + 1500)
        // Credits are bought, and Rivya's own page is used, while the wallet is quiet: the reading after it shows it.
        var readAt = start + 300_000_000
        while readAt < start + InventedDay.length {
            events.append(Event(at: readAt, kind: .reading))
            readAt += readingInterval
        }
        let share = InventedDay.share(until: min(company.now - start, InventedDay.length))
        told.tasks.reserveCapacity(count)
        for number in 0..<count {
            let passed = (Double(number) + random.fraction()) / Double(count)
            let submittedAt = start + InventedDay.time(of: passed * share)
            let task = plannedTask(at: submittedAt)
            let subject = Int32(number)
            func add(_ kind: Event.Kind, at: Int64) { events.append(Event(at: at, kind: kind, subject: subject)) }
            add(.submission, at: submittedAt)
            switch task.ending {
            case .rejection: add(.refusedRequest, at: task.settledAt - 1000)
            case .personsWord: add(.noAnswer, at: task.acceptedAt)
            case .failure, .failureTakenBack: add(.failedTask, at: task.settledAt - 1000)
            case .success, .cheaper: break
            }
            if task.isAccepted {
                // Had it come at once, there was no error before.
                if task.acceptedAt - submittedAt > 4_000_000 { add(.busy, at: submittedAt + 400_000) }
                add(.acceptance, at: task.acceptedAt)
            }
            add(.settlement, at: task.settledAt)
            if task.ending == .failureTakenBack { add(.correction, at: task.correctedAt) }
            told.tasks.append(task)
        }
        return events
    }

    private mutating func plannedTask(at submittedAt: Int64) -> InventedDay.Task {
        let ending: InventedDay.Ending =
            switch random.fraction() {
            case ..<0.94: .success
            case ..<0.942: .cheaper
            case ..<0.99: .failure
            case ..<0.9985: .rejection
            case ..<0.9995: .failureTakenBack
            default: .personsWord
            }
        let isLate = random.isHit(share: 0.015)
        let acceptedAt = submittedAt + Int64((isLate ? 5_000_000 : 800_000) + 1_500_000 * random.fraction())
        let work: Int64 =
            switch ending {
            case .rejection: 0
            case .personsWord: 900_000_000
            default: 40_000_000 + Int64(140_000_000 * random.fraction())
            }
        return InventedDay.Task(
            id: InventedID(at: submittedAt, using: &random), model: drawnModel(), ending: ending,
            submittedAt: submittedAt, acceptedAt: acceptedAt, settledAt: acceptedAt + work)
    }

    private mutating func drawnModel() -> Int {
        var rest = Int.random(in: 0..<100, using: &random)
        for (number, model) in InventedModel.all.enumerated() {
            if rest < model.share { return number }
            rest -= model.share
        }
        return 0
    }

    // MARK: What happens

    private mutating func tell(_ event: Event, in told: inout InventedDay) {
        let subject = Int(event.subject)
        switch event.kind {
        case .reading: read(at: event.at, in: &told)
        case .submission: submit(subject, at: event.at, in: &told)
        case .busy: fail(subject, .busy, at: event.at, in: &told)
        case .refusedRequest: fail(subject, .refusedRequest, at: event.at, in: &told)
        case .noAnswer: fail(subject, .noAnswer, at: event.at, in: &told)
        case .failedTask: fail(subject, .failedTask, at: event.at, in: &told)
        case .acceptance:
            told.tasks[subject].acceptance = nextEntry()
            balance.waiting -= told.tasks[subject].credits
            balance.taken += told.tasks[subject].credits
        case .settlement: settle(subject, in: &told)
        case .correction: correct(subject, in: &told)
        }
    }

    private mutating func nextEntry() -> Int64 {
        balance.lastEntry += 1
        return balance.lastEntry
    }

    private mutating func submit(_ subject: Int, at now: Int64, in told: inout InventedDay) {
        let model = told.tasks[subject].model
        let amount = told.tasks[subject].credits
        var project = company.project(at: random.fraction())
        while let reasons = refusal(of: project, amount, on: told.number) {
            told.refusals.append(
                InventedDay.Refusal(
                    id: InventedID(at: now, using: &random), entry: nextEntry(), project: project, model: model,
                    at: now,
                    reasons: reasons))
            count(project, model, in: &told) { $0.refused += 1 }
            project = company.project(at: random.fraction())
        }
        balance.reserved += amount
        balance.held += amount
        balance.waiting += amount
        use(project) { $0.held += amount }
        count(project, model, in: &told) {
            $0.tasks += 1
            $0.reserved += amount
            $0.held += amount
        }
        told.tasks[subject].project = project
        told.tasks[subject].reservation = nextEntry()
        told.tasks[subject].walletHeld = balance.held
    }

    private mutating func settle(_ subject: Int, in told: inout InventedDay) {
        let entry = nextEntry()
        told.tasks[subject].settlement = entry
        let task = told.tasks[subject]
        let (held, charged) = (task.credits, task.charged)
        balance.held -= held
        balance.charged += charged
        balance.released += held - charged
        if task.isAccepted {
            balance.returned += held - charged
        } else {
            balance.waiting -= held
            balance.taken += charged
        }
        use(task.project) {
            $0.held -= held
            $0.charged += charged
        }
        count(task.project, task.model, in: &told) {
            if task.isSuccess { $0.succeeded += 1 } else { $0.failed += 1 }
            $0.held -= held
            $0.charged += charged
            $0.released += held - charged
            $0.difference += task.isSuccess ? charged - held : 0
        }
    }

    /// What was given back was taken after all.
    private mutating func correct(_ subject: Int, in told: inout InventedDay) {
        let entry = nextEntry()
        told.tasks[subject].correction = entry
        let task = told.tasks[subject]
        balance.charged += task.credits
        balance.released -= task.credits
        balance.taken += task.credits
        use(task.project) { $0.charged += task.credits }
        count(task.project, task.model, in: &told) {
            $0.charged += task.credits
            $0.released -= task.credits
        }
    }

    private mutating func fail(
        _ subject: Int, _ kind: InventedDay.Failure.Kind, at now: Int64, in told: inout InventedDay
    ) {
        told.failures.append(InventedDay.Failure(entry: nextEntry(), task: told.tasks[subject].id, kind: kind, at: now))
        count(told.tasks[subject].project, told.tasks[subject].model, in: &told) { $0.errors += 1 }
    }

    private mutating func read(at now: Int64, in told: inout InventedDay) {
        var moved: Int64 = 0
        if balance.held == 0, balance.reading != nil {
            if balance.provider < usualDay * 10 { moved -= usualDay * 30 }
            if random.isHit(share: 0.05), told.readings.isEmpty {
                moved += 42 * Int64.random(in: 1...5, using: &random)
            }
        }
        balance.unattributed += moved
        let entry = nextEntry()
        told.readings.append(
            InventedDay.Reading(entry: entry, at: now, credits: balance.provider, unattributed: moved))
        balance.reading = Balance.Reading(entry: entry, credits: balance.provider, taken: balance.taken, at: now)
    }

    // MARK: Totals

    private mutating func count(
        _ project: Int, _ model: Int, in told: inout InventedDay, _ change: (inout InventedDay.Total) -> Void
    ) {
        let key = project * InventedModel.all.count + model
        if places[key] < 0 {
            places[key] = told.totals.count
            told.totals.append(InventedDay.Total(day: Int32(told.number), project: project, model: model))
        }
        change(&told.totals[places[key]])
    }

    private mutating func use(_ project: Int, _ change: (inout Use) -> Void) {
        change(&month[project])
        change(&day[project])
        change(&whole[project])
    }
}
