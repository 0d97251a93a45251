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
        let (tasks, counts) = (Self.tasksPerSecond * (1 + stage.rounds * stage.seconds), provider.counts)
        if counts.tasks != tasks || counts.ended != tasks || counts.createRequests != tasks {
            problems.append(
                "the provider has \(counts.tasks) tasks of \(counts.createRequests) requests, \(counts.ended) ended; submitted were \(tasks)"
            )
        }
        problems += try await database.verify()
        try await database.drop()
        try await other.drop()
        let speed = series[0].operationsPerSecond
        var aims = [
            Aim(
                "claim, submit, follow and settle through one process: at least 10 thousand tasks/s",
                figure: "\(speed.shown) tasks/s", isReached: speed >= 10_000)
        ]
        if series.count > 1 {
            aims.append(
                Aim("the same: ahead of pgqueuer, whose jobs do nothing", Ratio(series[0], to: series[1]), atLeast: 1))
        } else {
            aims.append(Aim("the same: ahead of pgqueuer", figure: "pgqueuer is missing", isReached: false))
        }
        return Report(series: series, aims: aims, problems: problems)
    }

    /// Submits tasks, and measures how long a worker takes to bring all of them to an end.
    private func settle(
        _ count: Int, _ ours: OurBooks, _ provider: InProcessProvider, _ server: BenchmarkServer
    ) async throws -> Sample {
        try await ours.reserve(count: count)
        let pool = ours.database.pool(role: "usage_service")
        let worker = Worker(
            ledger: Ledger(wallet: ours.ledger.wallet, pool: pool), pool: pool, client: provider,
            settings: Self.settings, logger: BenchmarkDatabase.logger)
        try await server.checkpoint()
        Memory.forget()
        let (client, before) = (CPUTime.ownSeconds, server.cpuSeconds)
        let start = ContinuousClock.now
        try await worker.run()
        let seconds = Double((ContinuousClock.now - start).nanoseconds) / 1e9
        let (clientAfter, after) = (CPUTime.ownSeconds, server.cpuSeconds)
        await pool.close()
        ours.count(settled: count)
        return Sample(
            operations: count, seconds: seconds, latencies: [], clientCPUSeconds: clientAfter - client,
            serverCPUSeconds: before.flatMap { before in after.map { $0 - before } },
            clientPeakBytes: Memory.peakBytes)
    }
}

extension OurBooks {
    /// Holds credits for so many tasks.
    func reserve(count: Int) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for started in 0..<count {
                if started >= 1000 { try await group.next() }
                group.addTask { try await self.reserve() }
            }
            try await group.waitForAll()
        }
    }
}
