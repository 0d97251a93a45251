import Foundation
import Postgres
import RivyaSandbox

/// `usage worker` with ten thousand tasks in flight, each asked for every 10 s on average, against the stand-in provider over
/// HTTP. Worker, provider and PostgreSQL are processes of their own.
struct WorkerBenchmark: Measurement {
    let name = "worker"
    let summary = "usage worker following 10,000 tasks, each polled every 10 s on average"

    private static let tasks = 10_000
    private static let concurrency = 64
    /// At the least, and twice that at the most.
    private static let pollInterval = 10 / 1.5
    /// From the first create request to the end of what is measured, at the most.
    private static let lifetime = 150.0

    func run(_ stage: Stage) async throws -> Report {
        let database = try await stage.server.database(name)
        let ours = try await OurBooks.make("ours", in: database)
        _ = try await ours.tasks(Self.tasks, accepted: false)
        let folder = try ScratchFolder()
        let programs = URL(filePath: Bundle.main.executablePath ?? "").deletingLastPathComponent()
        var report = try await Daemon.with(
            programs.appending(path: "Benchmark").path(), ["provider", "--seconds-to-finish", "\(Self.lifetime)"],
            in: folder
        ) { provider in
            let address = try await until("the provider listens", within: 30) { provider.lines.first.map(String.init) }
            return try await Daemon.with(
                programs.appending(path: "usage").path(),
                [
                    "worker", "--concurrency", "\(Self.concurrency)", "--poll-interval", "\(Self.pollInterval)",
                    "--slowest-poll-interval", "\(Self.pollInterval)", "--wallet", "ours",
                ],
                environment: [
                    "DATABASE_URL": database.url, "RIVYA_BASE_URL": address,
                    "RIVYA_API_KEY": SandboxSettings.defaultKey, "USAGE_LOG_LEVEL": "warning",
                ], in: folder
            ) { worker in try await follow(ours, provider, worker, stage) }
        }
        report.problems += try await ours.problems() + database.verify()
        try await database.drop()
        return report
    }

    private func follow(
        _ ours: OurBooks, _ provider: Daemon, _ worker: Daemon, _ stage: Stage
    ) async throws -> Report {
        let (start, before) = (ContinuousClock.now, AcceptedConnections.count())
        try await until("all tasks are accepted", within: 100) {
            try await count("acceptance", ours) == Self.tasks ? 1 : nil
        }
        let accepting = Double((ContinuousClock.now - start).nanoseconds) / 1e9
        // Until each has been asked for twice or so.
        try await Task.sleep(for: .seconds(15))
        var window = try await watch(
            provider, worker, stage.server, seconds: min(60, max(10, stage.seconds * stage.rounds)))
        window.connectionsBefore -= before
        guard ContinuousClock.now - start < .seconds(Self.lifetime) else {
            throw Mistake("the tasks began to end before all was measured; run it on a machine that is less busy")
        }
        Progress.note("  waiting for the tasks to end")
        try await until("all tasks are settled", within: 400) {
            try await count("settlement", ours) == Self.tasks ? 1 : nil
        }
        ours.count(settled: Self.tasks)
        window.peakBytes = Memory.peakBytes(of: worker.process).map(Double.init) ?? .nan
        let stopped = await worker.stop(SIGTERM)
        let last = try line(provider)
        var problems: [String] = []
        if !stopped {
            problems.append("the worker did not end in order: \(worker.lines.suffix(3).joined(separator: "; "))")
        }
        if last.mostRequestsAtOnce > Self.concurrency {
            problems.append("\(last.mostRequestsAtOnce) requests at once, configured are \(Self.concurrency)")
        }
        if last.totals.tasks != Self.tasks || last.totals.chargedCredits != Self.tasks * Int(OurBooks.price)
            || last.totals.heldCredits != 0 || !last.totals.isBalanced || last.createRequests != Self.tasks
        {
            problems.append("the provider's books: \(last)")
        }
        return window.report(
            accepting: accepting, mostRequestsAtOnce: last.mostRequestsAtOnce, concurrency: Self.concurrency,
            problems: problems)
    }

    private func watch(
        _ provider: Daemon, _ worker: Daemon, _ server: BenchmarkServer, seconds: Int
    ) async throws -> FollowingWindow {
        var window = FollowingWindow()
        guard let before = ProcessTimes(worker.process)?.ownSeconds else {
            throw Mistake("this system does not tell what a process uses")
        }
        let (first, lines) = (try line(provider), provider.lines.count)
        let start = ContinuousClock.now
        window.connectionsBefore = AcceptedConnections.count()
        (window.residentBytes, window.server) = try await server.watch(seconds: seconds) {
            var residentBytes: [Int] = []
            for _ in 0..<seconds {
                if let bytes = Memory.residentBytes(of: worker.process) { residentBytes.append(bytes) }
                try await Task.sleep(for: .seconds(1))
            }
            return residentBytes
        }
        window.connections = AcceptedConnections.count() - window.connectionsBefore
        window.seconds = Double((ContinuousClock.now - start).nanoseconds) / 1e9
        window.workerCPU = (ProcessTimes(worker.process)?.ownSeconds ?? .nan) - before
        window.polls = try line(provider).statusRequests - first.statusRequests
        let counts = try provider.lines.dropFirst(lines).map { try decode($0).statusRequests }
        window.mostPollsInATenth = zip(counts.dropFirst(), counts).map { $0 - $1 }.max() ?? 0
        return window
    }

    private func count(_ table: String, _ ours: OurBooks) async throws -> Int {
        Int(
            try await ours.database.owner.query(Statement("SELECT count(*) FROM \(table)"))[0].decode(
                at: 0, as: Int64.self))
    }

    private func line(_ provider: Daemon) throws -> ProviderCommand.Line {
        guard let last = provider.lines.last else { throw Mistake("the provider says nothing") }
        return try decode(last)
    }

    private func decode(_ line: Substring) throws -> ProviderCommand.Line {
        try JSONDecoder().decode(ProviderCommand.Line.self, from: Data(line.utf8))
    }

    /// Waits for something, but not for ever.
    @discardableResult
    private func until<Value>(_ what: String, within seconds: Int, _ find: () async throws -> Value?) async throws
        -> Value
    {
        let deadline = ContinuousClock.now + .seconds(seconds)
        while ContinuousClock.now < deadline {
            if let value = try await find() { return value }
            try await Task.sleep(for: .milliseconds(100))
        }
        throw Mistake("waited \(seconds) s in vain until \(what)")
    }
}

/// What was seen while a worker followed its tasks.
struct FollowingWindow: Sendable {
    var seconds = 0.0
    var workerCPU = 0.0
    var server = ServerUse(cpuSeconds: nil, memoryBytes: nil)
    var polls = 0
    var mostPollsInATenth = 0
    /// Once a second.
    var residentBytes: [Int] = []
    /// The most that the worker had resident, from its start until all was settled.
    var peakBytes = 0.0
    /// The connections that were accepted on this machine meanwhile, and from the worker's start until then.
    var connections = 0.0
    var connectionsBefore = 0.0

    /// The figures and what they reach.
    func report(
        accepting: Double, mostRequestsAtOnce: Int, concurrency: Int, problems: [String]
    ) -> Report {
        let (pollsPerSecond, share) = (Double(polls) / seconds, workerCPU / seconds)
        let peak = Spread(byRound: [peakBytes / 1e6])
        let half = residentBytes.count / 2
        let growth =
            (residentBytes.suffix(half).map(Double.init).median - residentBytes.prefix(half).map(Double.init).median)
            / 1e6
        return Report(
            figures: [
                Figure(name: "polls", value: pollsPerSecond, unit: "/s"),
                Figure(name: "worker's CPU", value: share * 100, unit: "% of a core"),
                Figure(name: "worker's CPU for a poll", value: workerCPU / Double(polls) * 1e6, unit: "us"),
                Figure(
                    name: "PostgreSQL's CPU for a poll", value: (server.cpuSeconds ?? .nan) / Double(polls) * 1e6,
                    unit: "us"),
                Figure(name: "resident at the most", spread: peak, unit: "MB"),
                Figure(
                    name: "PostgreSQL's memory", value: server.memoryBytes.map { Double($0) / 1e6 } ?? .nan, unit: "MB"),
                Figure(
                    name: "connections accepted on this machine, until all tasks were sent and polled twice",
                    value: connectionsBefore, unit: ""),
                Figure(name: "the same, from then on", value: connections, unit: ""),
                Figure(name: "resident, second half against first", value: growth, unit: "MB"),
                Figure(name: "requests at once at the most", value: Double(mostRequestsAtOnce), unit: ""),
                Figure(name: "most polls in 100 ms", value: Double(mostPollsInATenth), unit: ""),
                Figure(name: "sending and accepting all", value: accepting, unit: "s"),
            ],
            aims: [
                Aim(
                    "following 10,000 tasks: at most 150 MB resident", peak, "MB", atMost: 150),
                Aim(
                    "following 10,000 tasks at a 10 s poll interval: CPU of one core under 25 %",
                    Spread(byRound: [share * 100]), "%",
                    figure: "\((share * 100).shown) % at \(pollsPerSecond.shown) polls/s"
                ) { $0 < 25 && pollsPerSecond >= 900 },
                Aim(
                    "following 10,000 tasks: connections reused, no more new ones than requests at once",
                    Spread(byRound: [connections]), "for \(polls) polls", atMost: Double(concurrency)),
            ],
            conditions: [
                "\(concurrency) requests at once; seen once, for \(seconds.shown) s, whatever the rounds. Each create request has "
                    + "a connection of its own, so that no answer is taken for another's."
            ], problems: problems)
    }
}
