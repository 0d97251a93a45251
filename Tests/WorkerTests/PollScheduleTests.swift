import Testing

@testable import Worker

@Suite struct `Polling a task` {
    private let schedule = PollSchedule()

    private func delays(polls: Int, age: Duration) -> [Duration] {
        var generator = SystemRandomNumberGenerator()
        return (0..<200).map { _ in schedule.delay(polls: polls, age: age, using: &generator) }
    }

    @Test func `begins two to three seconds after its acceptance`() {
        #expect(delays(polls: 0, age: .zero).allSatisfy { (.seconds(2) ... .seconds(3)).contains($0) })
    }

    @Test(arguments: [Duration.zero, .seconds(5), .seconds(100)])
    func `goes on every five to ten seconds`(age: Duration) {
        #expect(delays(polls: 1, age: age).allSatisfy { (.seconds(5) ... .seconds(10)).contains($0) })
    }

    @Test func `becomes rarer as the task grows old`() {
        #expect(delays(polls: 40, age: .seconds(600)).allSatisfy { (.seconds(30) ... .seconds(60)).contains($0) })
    }

    @Test(arguments: [Duration.seconds(1200), .seconds(86_400), .seconds(10_000_000)])
    func `never becomes rarer than every two minutes`(age: Duration) {
        #expect(delays(polls: 1000, age: age).allSatisfy { (.seconds(60) ... .seconds(120)).contains($0) })
    }

    @Test func `is spread, so that tasks accepted together are not asked for together`() {
        #expect(Set(delays(polls: 3, age: .zero)).count > 100)
        #expect(Set(delays(polls: 0, age: .zero)).count > 100)
    }

    @Test func `keeps an interval above the slowest`() {
        let schedule = PollSchedule(interval: .seconds(90), slowest: .seconds(60))
        var generator = SystemRandomNumberGenerator()
        let delay = schedule.delay(polls: 1, age: .seconds(100_000), using: &generator)
        #expect((.seconds(90) ... .seconds(180)).contains(delay))
    }
}
