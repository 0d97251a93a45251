import Foundation
import Synchronization

/// The time in which a storm plays. It runs on from a moment of the plan, and only jumps ahead.
final class WorldClock: Sendable {
    private struct State {
        var moment: Date
        var since: ContinuousClock.Instant
    }

    private let state: Mutex<State>

    init(start: Date) { state = Mutex(State(moment: start, since: .now)) }

    var now: Date {
        state.withLock { $0.moment + ($0.since.duration(to: .now) / .seconds(1)) }
    }

    /// Goes on from another moment, if that is ahead.
    func jump(to moment: Date) {
        state.withLock { state in
            guard moment > state.moment + (state.since.duration(to: .now) / .seconds(1)) else { return }
            state = State(moment: moment, since: .now)
        }
    }
}

/// Moments at which a month or a leap day begins, or the offset changes, in the time zone of some wallet; in order.
enum TurningPoint {
    static let zones = ["Europe/Berlin", "America/New_York", "Pacific/Apia", "Australia/Lord_Howe"]

    /// How many there are in about two years.
    static let inTwoYears = 2 * all.count / years.count

    private static let years = 2027...2060

    static let all: [(moment: Date, what: String)] = (zones + ["UTC"]).flatMap { name -> [(Date, String)] in
        guard let zone = TimeZone(identifier: name) else { preconditionFailure("there is no time zone \(name)") }
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = zone
        var points: [(Date, String)] = []
        for year in years {
            for month in 1...12 {
                guard let start = calendar.date(from: DateComponents(year: year, month: month, day: 1)) else {
                    continue
                }
                points.append((start, "month \(month) begins in \(name)"))
            }
            guard let leap = calendar.date(from: DateComponents(year: year, month: 2, day: 29)),
                calendar.component(.month, from: leap) == 2
            else { continue }
            points.append((leap, "a leap day begins in \(name)"))
        }
        var next = points.first.flatMap { zone.nextDaylightSavingTimeTransition(after: $0.0) }
        while let change = next, calendar.component(.year, from: change) <= years.upperBound {
            points.append((change, "the clocks change in \(name)"))
            next = zone.nextDaylightSavingTimeTransition(after: change)
        }
        return points
    }.sorted { ($0.0, $0.1) < ($1.0, $1.1) }
}
