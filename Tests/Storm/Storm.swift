import Foundation
import Logging
import Postgres
import RivyaSandbox

/// One storm, from the empty folder to the comparison.
struct Storm: Sendable {
    let plan: Plan
    let program: String
    let seconds: Double
    let kills: Int
    /// Events that are left out.
    let left: Set<Int>
    /// Makes the books wrong in the end, so that it is seen that the comparison notices.
    let tampering: Tampering?

    /// What came of a storm.
    struct Outcome: Sendable {
        var differences: [Difference] = []
        var strays: [String: Int] = [:]
        var tasks = 0
        var refusals = 0
        var chargedCredits = 0
        var events: [String: Int] = [:]
        var requests: [String: Int] = [:]
        var sandboxFaults: [String: Int] = [:]
        var histories: [String] = []
    }

    /// Runs the storm.
    func run(tally: Tally) async throws -> Outcome {
        let folder = FileManager.default.temporaryDirectory.appending(
            path: "usage-storm-\(ProcessInfo.processInfo.processIdentifier)-\(plan.seed)"
        ).path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let watchdog = try Watchdog(folder: folder)
        let server = PostgresServer(home: "\(folder)/server")
        // Where something goes wrong before this is done, the watchdog does it once this process has ended.
        let outcome = try await run(in: folder, watchdog, server, tally)
        watchdog.end()
        try await server.remove()
        try FileManager.default.removeItem(atPath: folder)
        return outcome
    }

    private func run(
        in folder: String, _ watchdog: Watchdog, _ server: PostgresServer, _ tally: Tally
    ) async throws -> Outcome {
        try await server.start()
        let clock = WorldClock(start: plan.start)
        return try await RivyaSandbox.withSandbox(settings: plan.sandboxSettings, clock: { clock.now }) {
            sandbox, url async throws in
            guard let port = URL(string: url)?.port else { throw Place.ListenError() }
            let provider = try Relay(.provider, at: .port(0), to: .port(port), seed: plan.seed, tally: tally)
            try FileManager.default.createDirectory(atPath: "\(folder)/relay", withIntermediateDirectories: true)
            let database = try Relay(
                .database, at: .unix(path: "\(folder)/relay/.s.PGSQL.5432"),
                to: .unix(path: try server.socketPath), seed: plan.seed, tally: tally)
            let books = ConnectionPool(
                PostgresConfiguration(url: server.url, statementTimeout: .seconds(300), maximumConnections: 4),
                logger: Logger(label: "storm") { _ in SwiftLogNoOpLogHandler() })
            let world = World(
                plan: plan, folder: folder, program: program, watchdog: watchdog, tally: tally, clock: clock,
                server: server, sandbox: sandbox, sandboxURL: url, provider: provider, database: database, books: books)
            let outcome = try await run(in: world)
            provider.stop()
            database.stop()
            await books.close()
            return outcome
        }
    }

    private func run(in world: World) async throws -> Outcome {
        try await setUp(world)
        let notebook = Notebook()
        let (callers, fleet) = (Callers(world: world, notebook: notebook), Fleet(world: world))
        let (people, revisions) = (People(world: world), Revisions(world: world))
        let restless = try await withThrowingTaskGroup(of: Void.self) { group in
            for worker in plan.workers.indices { group.addTask { await fleet.keep(worker) } }
            let progress = Task { while (try? await Task.sleep(for: .seconds(10))) != nil { note(world) } }
            defer { progress.cancel() }
            do {
                await Conductor(
                    world: world, callers: callers, fleet: fleet, people: people, revisions: revisions
                ).run(seconds: seconds, kills: kills, without: left)
                Report.note("storm: the faults are over after \(Int(world.tally.seconds)) s; waiting for quiet")
                let quiet = Quiet(world: world, callers: callers, people: people, notebook: notebook)
                let restless = try await quiet.settle()
                await fleet.stop()
                return restless
            } catch {
                // Without this the group would wait for its workers for ever.
                await fleet.stop()
                throw error
            }
        }
        for wallet in plan.wallets {
            let read = try await world.run(["wallet", "--read", "--wallet", wallet.slug])
            guard read.end == .exited(0) else { throw SetUpError(step: "the last reading", outcome: read) }
        }
        if let tampering { try await tampering.tamper(world) }
        return try await compare(world, notebook, people, revisions, restless)
    }

    private func note(_ world: World) {
        let tally = world.tally
        Report.note(
            "storm: \(Int(tally.seconds)) s, \(tally.total(of: .answers)) answers, \(tally.total(of: .kills)) kills, "
                + "\(tally.total(of: .faults)) faults")
    }

    struct SetUpError: Error, CustomStringConvertible {
        let step: String
        let outcome: World.Outcome
        var description: String { "\(step) went wrong (\(outcome.end)): \(outcome.errors)\(outcome.output)" }
    }

    /// Makes the schema, the wallets with their projects and prices, and takes the first readings.
    private func setUp(_ world: World) async throws {
        let png: [UInt8] = [
            0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A, 0, 0, 0, 0x0D, 0x49, 0x48, 0x44, 0x52, 0, 0, 0, 1, 0, 0, 0,
            1, 8, 6, 0, 0, 0, 0x1F, 0x15, 0xC4, 0x89,
        ]
        try Data(png).write(to: URL(filePath: world.reference))
        var steps = [["migrate"]]
        for wallet in plan.wallets {
            let named = ["--wallet", wallet.slug]
            if wallet.slug != "main" {
                steps.append([
                    "wallet", "create", wallet.slug, "--time-zone", wallet.timeZone, "--key-variable",
                    wallet.keyVariable,
                ])
            }
            let since = ["--from", "2000-01-01T00:00:00Z"] + named
            steps.append(["price", "set", "z-image", "--credits", "1"] + since)
            if wallet.slug == "main" {
                steps.append(
                    ["price", "set", "kling-v2-5-turbo-pro", "--credits", "84", "--when", "duration=10"] + since)
            }
            for project in wallet.projects { steps.append(["project", "create", project, "--month", "4200"] + named) }
            steps.append(["wallet", "--read"] + named)
        }
        for step in steps {
            let outcome = try await world.run(step)
            guard outcome.end == .exited(0) else {
                throw SetUpError(step: step.joined(separator: " "), outcome: outcome)
            }
        }
    }

    private func compare(
        _ world: World, _ notebook: Notebook, _ people: People, _ revisions: Revisions, _ restless: [Difference]
    ) async throws -> Outcome {
        let ours = try await OurBooks(from: world)
        let provider = try await world.providerBooks()
        let comparison = Comparison(
            plan: plan, ours: ours, provider: provider, pages: notebook.pages, words: people.words,
            unseenRevisions: revisions.unseen)
        let checks = ProgramChecks(world: world)
        var outcome = Outcome()
        outcome.differences = restless + notebook.differences + comparison.differences
        outcome.differences += try await checks.verify()
        outcome.differences += try await checks.compareReports(with: ours, refusedByMonth: ours.refusedByMonth)
        outcome.strays = comparison.strays
        outcome.tasks = ours.tasks.count
        outcome.refusals = ours.refusals.count
        outcome.chargedCredits = ours.wallets.reduce(0) { $0 + $1.charged }
        outcome.events = ours.events
        outcome.requests = provider.requests
        outcome.sandboxFaults = provider.faults
        var told: Set<String> = []
        for difference in outcome.differences.prefix(20) {
            guard let task = difference.task, told.insert(task).inserted else { continue }
            outcome.histories.append(
                try await History(world: world, provider: provider).text(of: task, in: difference.wallet))
        }
        return outcome
    }
}

extension Plan {
    /// The sandbox with an account for each wallet.
    var sandboxSettings: SandboxSettings {
        var settings = SandboxSettings(secondsToFinish: 0.8, faults: Faults(seed: Int(truncatingIfNeeded: seed)))
        settings.secondsToFinishSpread = 0.7
        settings.failureShare = 0.12
        settings.accounts = Dictionary(
            uniqueKeysWithValues: wallets.map {
                ($0.slug, SandboxSettings.Account(key: $0.key, openingCredits: openingCredits))
            })
        return settings
    }
}
