import Foundation
import Synchronization

/// Counts what a storm did and met, and keeps when it did what.
final class Tally: Sendable {
    /// What is counted.
    enum Kind: String, CaseIterable, Sendable {
        case kills, faults, callers, answers, acts, notes
    }

    /// One thing that was done, and when.
    struct Moment: Sendable {
        let seconds: Double
        let what: String
        /// The task, wallet or connection that it concerned.
        let subject: String
    }

    private struct State {
        var counts: [Kind: [String: Int]] = [:]
        var moments: [Moment] = []
    }

    /// The subject of what concerned all wallets.
    static let everybody = "everybody"

    private static let maximumMoments = 200_000
    private let state = Mutex(State())
    private let start = ContinuousClock.now

    /// Seconds since the storm began.
    var seconds: Double { start.duration(to: .now) / .seconds(1) }

    func count(_ kind: Kind, _ name: String, about subject: String = "") {
        let seconds = seconds
        state.withLock { state in
            state.counts[kind, default: [:]][name, default: 0] += 1
            guard !subject.isEmpty, state.moments.count < Tally.maximumMoments else { return }
            state.moments.append(Moment(seconds: seconds, what: name, subject: subject))
        }
    }

    /// Keeps when something was done, without counting it.
    func note(_ what: String, about subject: String) {
        let seconds = seconds
        state.withLock { state in
            guard state.moments.count < Tally.maximumMoments else { return }
            state.moments.append(Moment(seconds: seconds, what: what, subject: subject))
        }
    }

    func counts(of kind: Kind) -> [String: Int] { state.withLock { $0.counts[kind] ?? [:] } }

    func total(of kind: Kind) -> Int { counts(of: kind).values.reduce(0, +) }

    /// What concerned one of several subjects, in order.
    func moments(about subjects: Set<String>) -> [Moment] {
        state.withLock { $0.moments.filter { subjects.contains($0.subject) } }
    }
}
