import Accounting
import Foundation

/// The rule of admission, written a second time from docs/design.md: it takes the entries of a wallet in their order
/// and says what the guard had to answer at each. It shares nothing with the SQL.
struct GuardModel {
    private struct Budget: Hashable {
        let project: String
        let period: BudgetPeriod
    }

    private struct Use: Hashable {
        let project: String
        let period: BudgetPeriod
        /// First day; empty for a total.
        let from: String
    }

    private struct Hold {
        let project: String
        let date: Date
        let amount: Int64
        var isTaken = false
    }

    private let days: CalendarDays
    private var limits: [Budget: Int64] = [:]
    private var held: [Use: Int64] = [:]
    private var charged: [Use: Int64] = [:]
    private var holds: [TaskID: Hold] = [:]
    private var reading: (credits: Int64, seen: Int64, taken: Int64, at: Date)?
    /// After each entry, what the provider had taken by then; the first is before all entries.
    private var taken: [Int64] = [0]
    private var waiting: Int64 = 0
    private(set) var allHeld: Int64 = 0

    init(timeZone: String) { days = CalendarDays(timeZone: timeZone) }

    /// Why a request must be refused now; nothing if it fits.
    func reasons(against amount: Int64, of project: String, at date: Date) -> [Reason] {
        var reasons: [Reason] = []
        for period in [BudgetPeriod.day, .month, .total] {
            guard let limit = limits[Budget(project: project, period: period)] else { continue }
            let use = Use(project: project, period: period, from: days.start(of: period, at: date))
            let (held, charged) = (held[use, default: 0], charged[use, default: 0])
            guard held + charged + amount > limit else { continue }
            reasons.append(
                Reason(
                    ceiling: "project_\(period.rawValue)", remaining: max(0, limit - held - charged), limit: limit,
                    charged: charged, held: held, resetsOn: days.end(of: period, at: date)))
        }
        guard let reading else {
            return reasons + [Reason(ceiling: "wallet_gate", remaining: 0, cause: "no_reading", needed: 0)]
        }
        let gone = waiting + taken[taken.count - 1] - reading.taken
        guard amount > reading.credits - gone else { return reasons }
        let age = max(0, date.timeIntervalSince(reading.at).rounded())
        return reasons + [
            Reason(
                ceiling: "wallet", remaining: max(0, reading.credits - gone), held: gone, reading: reading.credits,
                age: Int64(age))
        ]
    }

    /// Follows an entry.
    mutating func follow(_ entry: BookEntry) {
        var nowTaken = taken[taken.count - 1]
        switch entry.kind {
        case .refusal: break
        case .reservation:
            holds[entry.task] = Hold(project: entry.project, date: entry.at, amount: entry.amount)
            move(entry.task, held: entry.amount)
            waiting += entry.amount
            allHeld += entry.amount
        case .acceptance:
            // Here the provider always takes what is held.
            waiting -= entry.amount
            nowTaken += entry.amount
        case .settlement:
            let amount = holds[entry.task]?.amount ?? 0
            move(entry.task, held: -amount, charged: entry.amount)
            allHeld -= amount
        case .budget(let period):
            limits[Budget(project: entry.project, period: period)] = entry.limit
        case .reading:
            // One that was asked for before the last changes nothing.
            if entry.seen >= reading?.seen ?? 0 {
                reading = (entry.amount, entry.seen, taken[Int(entry.seen)], entry.at)
            }
        }
        taken.append(nowTaken)
    }

    /// What each budget that was set must count, by project, period and first day.
    func counter(of project: String, _ period: BudgetPeriod, from: String) -> (held: Int64, charged: Int64) {
        let use = Use(project: project, period: period, from: period == .total ? "" : from)
        return (held[use, default: 0], charged[use, default: 0])
    }

    private mutating func move(_ task: TaskID, held amount: Int64, charged credits: Int64 = 0) {
        guard let hold = holds[task] else { return }
        for period in BudgetPeriod.allCases {
            let use = Use(project: hold.project, period: period, from: days.start(of: period, at: hold.date))
            held[use, default: 0] += amount
            charged[use, default: 0] += credits
        }
    }
}

/// One ceiling, with the figures of the moment.
struct Reason: Equatable {
    let ceiling: String
    let remaining: Int64
    var limit: Int64?
    var charged: Int64?
    var held: Int64?
    var resetsOn: String?
    var reading: Int64?
    var age: Int64?
    var cause: String?
    var needed: Int64?
}

extension Reason {
    init(_ reason: RefusalReason) {
        self.init(
            ceiling: reason.ceiling.rawValue, remaining: reason.remaining.amount, limit: reason.limit?.amount,
            charged: reason.charged?.amount, held: reason.held?.amount, resetsOn: reason.resetsOn,
            reading: reason.reading?.amount, age: reason.readingAgeSeconds, cause: reason.cause?.rawValue,
            needed: reason.needed?.amount)
    }
}

/// The days and months of a time zone. Remembers what it worked out, as few moments are asked for often.
final class CalendarDays {
    private var calendar = Calendar(identifier: .gregorian)
    private var known: [Date: (day: String, month: String, nextDay: String, nextMonth: String)] = [:]

    init(timeZone: String) {
        guard let zone = TimeZone(identifier: timeZone) else { preconditionFailure("\(timeZone) is not a time zone") }
        calendar.timeZone = zone
    }

    /// The first moment of a day.
    func midnight(_ year: Int, _ month: Int, _ day: Int) -> Date {
        guard let date = calendar.date(from: DateComponents(year: year, month: month, day: day)) else {
            preconditionFailure("there is no such day")
        }
        return calendar.startOfDay(for: date)
    }

    /// First day of the period that a moment lies in; empty for a total.
    func start(of period: BudgetPeriod, at date: Date) -> String {
        switch period {
        case .day: days(date).day
        case .month: days(date).month
        case .total: ""
        }
    }

    /// First day after it; nil for a total.
    func end(of period: BudgetPeriod, at date: Date) -> String? {
        switch period {
        case .day: days(date).nextDay
        case .month: days(date).nextMonth
        case .total: nil
        }
    }

    private func days(_ date: Date) -> (day: String, month: String, nextDay: String, nextMonth: String) {
        if let found = known[date] { return found }
        let parts = calendar.dateComponents([.year, .month, .day], from: date)
        let (year, month, day) = (parts.year ?? 0, parts.month ?? 0, parts.day ?? 0)
        let length = calendar.range(of: .day, in: .month, for: date)?.count ?? 0
        let nextMonth = month == 12 ? text(year + 1, 1, 1) : text(year, month + 1, 1)
        let found = (
            text(year, month, day), text(year, month, 1), day == length ? nextMonth : text(year, month, day + 1),
            nextMonth
        )
        known[date] = found
        return found
    }

    private func text(_ year: Int, _ month: Int, _ day: Int) -> String {
        "\(year)-\(month < 10 ? "0" : "")\(month)-\(day < 10 ? "0" : "")\(day)"
    }
}
