/// When the provider is asked how a task stands: soon once, then steadily, and more rarely as the task grows old.
///
/// Source: the provider's polling guidance: first after 2 to 3 s, then every 5 to 10 s, slower for long work.
public struct PollSchedule: Sendable, Equatable {
    /// Wait before the first request, at the least; up to half as much again is added.
    public var first: Duration
    /// Wait before the next ones, at the least; up to as much again is added.
    public var interval: Duration
    /// The longest that `interval` grows to as a task ages.
    public var slowest: Duration

    /// Makes a schedule.
    public init(first: Duration = .seconds(2), interval: Duration = .seconds(5), slowest: Duration = .seconds(60)) {
        self.first = first
        self.interval = interval
        self.slowest = slowest
    }

    /// How long to wait for the next request.
    ///
    /// - Parameter polls: Status requests answered so far.
    /// - Parameter age: Time since the provider accepted the task.
    public func delay(
        polls: Int, age: Duration, using generator: inout some RandomNumberGenerator
    ) -> Duration {
        guard polls > 0 else { return first * Double.random(in: 1...1.5, using: &generator) }
        // A twentieth of the age: a task of ten minutes is asked for every 30 to 60 s.
        let steady = max(interval, min(slowest, age / 20))
        return steady * Double.random(in: 1...2, using: &generator)
    }
}
