import Foundation
import Postgres
import RivyaSandbox
import TestDatabase
import Testing

@Suite(.serialized, .timeLimit(.minutes(10))) struct `While PostgreSQL is away` {
    private static let submit = ["submit", "--project", "films", "--prompt", "A lighthouse"]

    /// All commands that need the books.
    private static let commands = [
        submit, ["report"], ["verify"], ["tasks"], ["task", "019a8f3e-5a00-7c3d-9b1e-2f6a7d8c9b0a"],
        ["project", "list"], ["budget", "show"], ["price", "list"], ["wallet"],
        ["wallet", "--set", "5", "--by", "ann"],
        ["migrate"], ["worker"],
    ]

    /// How long the runs of commands took; each is expected to fail with one sentence.
    ///
    /// - Returns: The median, as a busy machine is slow to start one or the other, and the longest.
    private func run(_ commands: [[String]], of world: World) async throws -> (median: Duration, longest: Duration) {
        var times: [Duration] = []
        for arguments in commands {
            let start = ContinuousClock.now
            let outcome = try await world.usage.run(arguments)
            times.append(ContinuousClock.now - start)
            #expect(outcome.status == 1, "\(arguments)")
            #expect(outcome.output == "")
            #expect(outcome.errors.split(separator: "\n").count == 1, "\(outcome.errors)")
            #expect(outcome.sentence.hasPrefix("PostgreSQL cannot be reached, see that it runs: "), "\(outcome.errors)")
        }
        times.sort()
        return (times[times.count / 2], times[times.count - 1])
    }

    @Test func `every command fails at once with one sentence, and nothing is held`() async throws {
        try await World.withServer { world, server async throws in
            server.kill()
            let took = try await run(Self.commands, of: world)
            print("commands while PostgreSQL refuses: \(took)")
            #expect(took.median < .seconds(2))
            try server.start()
            #expect(try await world.count("SELECT count(*) FROM client_request") == 0)
        }
    }

    @Test func `and nothing listens at its port, every command fails at once`() async throws {
        try await World.withServer { world, _ async throws in
            let elsewhere = World(
                usage: world.usage.at("postgresql://ann@127.0.0.1:1/usage"), sandbox: world.sandbox, pool: world.pool)
            #expect(try await run(Self.commands, of: elsewhere).median < .seconds(2))
        }
    }

    @Test func `because it is frozen, a command fails when the connect timeout of three seconds is over`() async throws
    {
        try await World.withServer { world, server async throws in
            let process = try #require(server.processID)
            server.freeze()
            let took = try await run([Self.submit, ["report"], ["verify"], ["tasks"]], of: world)
            print("commands while PostgreSQL is frozen: \(took)")
            #expect(took.longest < .seconds(15))
            server.thaw(process)
            #expect(try await world.count("SELECT count(*) FROM client_request") == 0)
        }
    }

    /// 60 seconds once by hand, with USAGE_OUTAGE_SECONDS=60.
    private static let seconds = ProcessInfo.processInfo.environment["USAGE_OUTAGE_SECONDS"].flatMap(Double.init) ?? 10

    @Test func `a worker waits, sends nothing, and goes on by itself within two seconds of its return`() async throws {
        try await World.withServer(PrivateServer(), SandboxSettings(openingCredits: 100_000, secondsToFinish: 1)) {
            world, server async throws in
            try await world.submit(count: 200)
            let worker = try world.usage.start(["worker", "--concurrency", "4"])
            try await world.wait(until: "some are sent") { await world.creates >= 20 }
            server.kill()
            // What was in hand is on its way within a moment, and its answers wait for the books.
            try await Task.sleep(for: .seconds(1))
            let before = await world.creates
            try await Task.sleep(for: .seconds(Self.seconds - 1))
            #expect(await world.creates == before)
            let start = ContinuousClock.now
            try server.start()
            let started = ContinuousClock.now
            try await world.wait(until: "the worker goes on") { await world.creates > before }
            print("worker goes on \(ContinuousClock.now - started) after PostgreSQL, which took \(started - start)")
            #expect(ContinuousClock.now - started < .seconds(2.5))
            try await world.wait(until: "SELECT count(*) FROM settlement", is: 200)
            worker.terminate()
            let outcome = try #require(await worker.outcome())
            #expect(outcome.status == 0)
            let lines = outcome.errors.split(separator: "\n").filter {
                $0.contains("database") || $0.contains("Postgre")
            }
            print("lines about it in the worker's log: \(lines.count)")
            #expect(lines.count <= 4, "\(lines.joined(separator: "\n"))")
            #expect(await world.sandbox.books.report().tasks.map(\.createRequests).allSatisfy { $0 <= 2 })
        }
    }

    @Test func `a worker keeps the answers that it had, and books them later`() async throws {
        try await World.withServer { world, server async throws in
            try await world.submit(count: 5)
            await world.sandbox.holdCreateAnswers()
            let worker = try world.usage.start(["worker"])
            await world.sandbox.waitForHeldCreates(count: 5)
            server.kill()
            await world.sandbox.releaseCreateAnswers()
            try await Task.sleep(for: .seconds(2))
            try server.start()
            try await world.wait(until: "SELECT count(*) FROM settlement", is: 5)
            worker.terminate()
            #expect(await worker.outcome()?.status == 0)
            #expect(await world.sandbox.books.report().tasks.map(\.createRequests) == [1, 1, 1, 1, 1])
        }
    }

    @Test func `a worker that has nothing in hand stops at once when it is told to`() async throws {
        try await World.withServer { world, server async throws in
            let worker = try world.usage.start(["worker"])
            try await world.wait(until: "SELECT count(*) FROM pg_stat_activity WHERE query ILIKE 'listen%'", is: 1)
            server.kill()
            try await Task.sleep(for: .seconds(1))
            let start = ContinuousClock.now
            worker.terminate()
            #expect(await worker.outcome()?.status == 0)
            #expect(ContinuousClock.now - start < .seconds(4))
            try server.start()
        }
    }

    @Test func `a submission whose answer was lost is asked again, and held once`() async throws {
        try await World.withServer { world, server async throws in
            let outcomes = try await withThrowingTaskGroup(of: Program.Outcome.self) { group in
                for _ in 0..<20 { group.addTask { try await world.usage.run(Self.submit) } }
                try await Task.sleep(for: .milliseconds(300))
                try server.restart()
                return try await group.reduce(into: []) { $0.append($1) }
            }
            let queued = outcomes.filter { $0.status == 0 }
            for outcome in outcomes where outcome.status != 0 {
                #expect(outcome.status == 1)
                // libpq itself repeats what a server says that dies the moment after it let a client in.
                let lines = outcome.errors.split(separator: "\n").filter { !$0.hasPrefix("FATAL:  terminating") }
                #expect(lines.count == 1, "\(outcome.errors)")
            }
            // Who got an answer has a task, and who does not know was told so.
            let doubtful = outcomes.count { $0.errors.contains("is not known") }
            let held = try await world.count("SELECT count(*) FROM reservation")
            #expect((queued.count...queued.count + doubtful).contains(held))
            #expect(Set(queued.map(\.output)).count == queued.count)
            try await world.workUntilIdle()
        }
    }
}

extension Program {
    /// The same program with another database.
    func at(_ url: String) -> Program {
        var program = self
        program.environment["DATABASE_URL"] = url
        return program
    }
}
