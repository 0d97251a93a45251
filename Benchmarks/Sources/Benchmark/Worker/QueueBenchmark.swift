import Foundation
import Ledger
import Worker

/// The worker's own queue, with a provider that costs nothing: claim, submit, book the acceptance, claim, follow, settle.
struct QueueBenchmark: Measurement {
    let name = "queue"
    let summary =
        "one worker brings tasks from queued to settled with a provider in its own process, beside pgqueuer's jobs"

    /// Tasks that wait for a second of measuring.
    private static let tasksPerSecond = 10_000
    private static let settings = WorkerSettings(
        concurrency: 1024, polling: PollSchedule(first: .zero, interval: .zero, slowest: .zero), stopsWhenIdle: true)

    func run(_ stage: Stage) async throws -> Report {
        let database = try await stage.server.database(name)
        let ours = try await OurBooks.make("ours", in: database)
        let provider = InProcessProvider()
        let other = try await stage.server.database("pgqueuer")
        let queuer = try await PgQueuer.make(in: other)
        var parts = [
            Stage.Part("ours") { round in
                try await settle(Self.tasksPerSecond * round.seconds, ours, provider, stage.server)
            }
        ]
        if let queuer {
            parts.append(Stage.Part("pgqueuer") { try await queuer.work(off: Self.tasksPerSecond * $0.seconds) })
        }
        let series = try await stage.interleave(parts)
        var problems = try await ours.problems()
        // A second each for the two turns that are not counted.
        let (tasks, counts) = (Self.tasksPerSecond * (stage.rounds * stage.seconds + 2), provider.counts)
        if counts.tasks != tasks || counts.ended != tasks || counts.createRequests != tasks {
            problems.append(
                "the provider has \(counts.tasks) tasks of \(counts.createRequests) requests, \(counts.ended) ended; submitted were \(tasks)"
            )
        }
        problems += try await database.verify()
        try await database.drop()
        try await other.drop()
        var aims = [
            Aim(
                "claim, submit, follow and settle through one process: at least 10 thousand tasks/s",
                series[0].operationsPerSecond, "tasks/s", atLeast: 10_000)
        ]
        if series.count > 1 {
            aims.append(
                Aim("the same: ahead of pgqueuer, whose jobs do nothing", .ratio(series[0], to: series[1]), atLeast: 1))
        } else {
            aims.append(Aim("the same: ahead of pgqueuer", missing: "pgqueuer"))
        }
        let polling = Self.settings.polling
        let conditions = [
            "ours: \(Self.settings.concurrency) requests at once, polled after \(polling.first.nanoseconds / 1_000_000) ms "
                + "and then every \(polling.interval.nanoseconds / 1_000_000) ms: a task ends at its first poll",
            queuer.map { "pgqueuer: \($0.conditions)" },
        ]
        return Report(series: series, aims: aims, conditions: conditions.compactMap(\.self), problems: problems)
    }

    /// Submits tasks, and measures how long a worker takes to bring all of them to an end.
    private func settle(
        _ count: Int, _ ours: OurBooks, _ provider: InProcessProvider, _ server: BenchmarkServer
    ) async throws -> Sample {
        _ = try await ours.tasks(count, accepted: false)
        let pool = ours.database.pool(role: "usage_service")
        let worker = Worker(
            ledger: Ledger(wallet: ours.ledger.wallet, pool: pool), pool: pool, client: provider,
            settings: Self.settings, logger: BenchmarkDatabase.logger)
        try await server.checkpoint()
        Memory.forget()
        let (sample, use) = try await server.watch(seconds: count / Self.tasksPerSecond) {
            let (client, start) = (CPUTime.ownSeconds, ContinuousClock.now)
            try await worker.run()
            return Sample(
                operations: count, seconds: Double((ContinuousClock.now - start).nanoseconds) / 1e9, latencies: [],
                clientCPUSeconds: CPUTime.ownSeconds - client, clientPeakBytes: Memory.peakBytes)
        }
        await pool.close()
        ours.count(settled: count)
        return sample.served(use)
    }
}
