/// pgqueuer from the package index of Python: a queue of jobs in PostgreSQL, each of which is taken, does nothing and is done.
///
/// It knows no leases of two visits, no provider and no books.
struct PgQueuer: Sendable {
    /// Groups of 100 were the fastest of 10, 100 and 1,000.
    private static let groupSize = 100
    private let python: Python
    private let database: BenchmarkDatabase

    /// Installs it and makes its tables in a database; nil where it cannot be had.
    static func make(in database: BenchmarkDatabase) async throws -> PgQueuer? {
        guard let python = try await Python.make(with: ["pgqueuer==1.6.0", "asyncpg==0.32.0"]) else { return nil }
        let queuer = PgQueuer(python: python, database: database)
        _ = try await queuer.run("await queries.install()")
        return queuer
    }

    /// What it is, and how it is set.
    var conditions: String { "\(python.versions); jobs are taken \(Self.groupSize) at a time" }

    /// Adds jobs, and measures how long one process takes to work them off; its start is not in the time.
    func work(off count: Int) async throws -> Sample {
        _ = try await run("await queries.enqueue(['nothing'] * \(count), [None] * \(count), [0] * \(count))")
        try await database.server.checkpoint()
        let (outcome, use) = try await database.server.watch(seconds: 2) {
            try await run(
                """
                queue = PgQueuer(driver)
                @queue.entrypoint("nothing")
                async def nothing(job): pass
                start, used = time.perf_counter(), time.process_time()
                await queue.run(mode=QueueExecutionMode.drain, batch_size=\(Self.groupSize))
                print(time.perf_counter() - start)
                print(time.process_time() - used)
                left = await driver.fetch("SELECT count(*) AS jobs FROM pgqueuer")
                print(left[0]["jobs"])
                """)
        }
        let lines = outcome.output.split(separator: "\n")
        guard lines.count == 3, let seconds = Double(lines[0]), lines[2] == "0" else {
            throw Mistake("pgqueuer left jobs behind: \(lines.joined(separator: ", "))")
        }
        return Sample(
            operations: count, seconds: seconds, latencies: [], clientCPUSeconds: Double(lines[1]),
            clientPeakBytes: outcome.peakBytes
        ).served(use)
    }

    private func run(_ body: String) async throws -> Program.Outcome {
        let indented = body.split(separator: "\n").map { "    \($0)" }.joined(separator: "\n")
        return try await python.run(
            """
            import asyncio, time, asyncpg
            from pgqueuer import AsyncpgDriver, PgQueuer, Queries
            from pgqueuer.types import QueueExecutionMode

            async def main():
                driver = AsyncpgDriver(await asyncpg.connect("\(database.url)"))
                queries = Queries(driver)
            \(indented)

            asyncio.run(main())
            """)
    }
}
