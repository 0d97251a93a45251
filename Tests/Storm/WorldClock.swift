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

/// Moments at which a day, a month or an offset changes in a time zone of some wallet, in order.
enum TurningPoint {
    static let zones = ["Europe/Berlin", "America/New_York", "Pacific/Apia", "Australia/Lord_Howe"]

    static let all: [(moment: Date, what: String)] = [
        ("2027-10-31T01:00:00Z", "the clocks of Berlin go back"),
        ("2027-10-31T11:00:00Z", "the month ends in Apia"),
        ("2027-10-31T23:00:00Z", "the month ends in Berlin"),
        ("2027-11-01T00:00:00Z", "the month ends in UTC"),
        ("2027-11-07T06:00:00Z", "the clocks of New York go back"),
        ("2027-12-31T13:00:00Z", "the year ends on Lord Howe"),
        ("2027-12-31T23:00:00Z", "the year ends in Berlin"),
        ("2028-01-01T00:00:00Z", "the year ends in UTC"),
        ("2028-01-01T05:00:00Z", "the year ends in New York"),
        ("2028-02-28T11:00:00Z", "the leap day begins in Apia"),
        ("2028-02-29T00:00:00Z", "the leap day begins in UTC"),
        ("2028-02-29T13:00:00Z", "the leap day ends on Lord Howe"),
        ("2028-02-29T23:00:00Z", "the leap day ends in Berlin"),
        ("2028-03-01T00:00:00Z", "the leap day ends in UTC"),
        ("2028-03-01T05:00:00Z", "the leap day ends in New York"),
        ("2028-03-12T07:00:00Z", "the clocks of New York go forward"),
        ("2028-03-26T01:00:00Z", "the clocks of Berlin go forward"),
        ("2028-03-31T22:00:00Z", "the month ends in Berlin, an hour earlier than the month before"),
        ("2028-04-01T15:00:00Z", "the clocks of Lord Howe go back by half an hour"),
        ("2028-09-30T15:30:00Z", "the clocks of Lord Howe go forward by half an hour"),
    ].map { text, what in
        guard let moment = try? Date(text, strategy: .iso8601) else { preconditionFailure("\(text) is no moment") }
        return (moment, what)
    }
}
