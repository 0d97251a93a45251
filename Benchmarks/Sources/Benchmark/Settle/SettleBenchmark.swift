import Accounting
import Synchronization

/// Settlements alone: the tasks were reserved and accepted before the clock runs.
struct SettleBenchmark: Measurement {
    let name = "settle"
    let summary =
        "50 callers settle tasks that were accepted before, beside the naive way with 50 clients and the ceiling"

    /// Tasks that wait for a second of measuring; a part whose tasks are all settled ends early.
    private static let tasksPerSecond = 30_000

    func run(_ stage: Stage) async throws -> Report {
        let database = try await stage.server.database(name)
        let ours = try await OurBooks.make("ours", in: database)
        let naive = try await NaiveBooks.make(in: database)
        let script = try naive.settle(clients: 50)
        let books = try await OurBooks.make("ceiling", in: database)
        let accepting = try Ceiling(of: [.reserve, .accept], books)
        // For the same turns, and so for the same tasks.
        let settling = try Ceiling(of: [.settle(leaseToken: 1)], books)
        let series = try await stage.interleave([
            Stage.Part("ours") { try await settle(ours, $0) },
            Stage.Part("naive") { round in
                let first = try await naive.accepted(count: Self.tasksPerSecond * round.seconds)
                try await stage.server.checkpoint()
                return try await naive.run(script, round, variables: ["first": first], reserves: false, settles: true)
            },
            Stage.Part("ceiling") { round in
                let batch = max(1, round.samples[0].groupSize ?? 1)
                let turns = Self.tasksPerSecond * round.seconds / batch
                _ = try await accepting.run(round, batch: batch, turns: turns)
                try await stage.server.checkpoint()
                return try await settling.run(round, batch: batch, turns: turns)
            },
        ])
        let problems = try await naive.problems() + ours.problems() + books.problems() + database.verify()
        try await database.drop()
        return Report(
            series: series, figures: series.dropFirst().map { Figure(of: series[0], beside: $0) }, problems: problems)
    }

    private func settle(_ ours: OurBooks, _ round: Stage.Round) async throws -> Sample {
        let tasks = Mutex(try await ours.tasks(Self.tasksPerSecond * round.seconds, accepted: true))
        let server = ours.database.server
        try await server.checkpoint()
        let last = try await ours.lastEntry()
        let sample = try await Callers(count: 50) { _ in
            guard let task = tasks.withLock({ $0.popLast() }) else { return false }
            try await ours.settle(task, leaseToken: 1)
            return true
        }.run(seconds: round.seconds, on: server)
        return try await sample.grouped(ours.groupSize(of: ["settlement"], since: last))
    }
}
