import Foundation
import Postgres
import RivyaSandbox
import TestDatabase
import UsageSQL

/// Where a command of a story is killed.
struct Death: Sendable {
    let step: Int
    /// Such as `before reserve#1`.
    let point: String
}

/// What became of a story.
struct Telling: Sendable {
    /// The points that each step passed, in order.
    var points: [Int: [String]] = [:]
    /// Whether the command was killed where it should be; it may have ended without coming by.
    var wasKilled = false
    /// What is not as it should be.
    var problems: [String] = []
    /// What the books came to.
    var end = ""
}

extension Story {
    /// Tells the story in a new database and with a new provider.
    func tell(_ death: Death? = nil) async throws -> Telling {
        try await inNewWorld { world async throws in
            var telling = Telling()
            for (number, step) in steps.enumerated() {
                switch step {
                case .event(let event): try await event(world)
                case .command(let command):
                    let death = death.flatMap { $0.step == number ? $0 : nil }
                    try await world.run(command, at: number, death, besidePerson: needsPerson, &telling)
                    guard death == nil || telling.wasKilled else { return telling }
                }
            }
            try await finish(&telling, in: world)
            telling.problems += try await world.differences()
            telling.end = try await world.end()
            return telling
        }
    }

    /// Runs a body in a new database, with project `films` where there is a budget, and with a new provider.
    func inNewWorld<Value: Sendable>(_ body: @Sendable (World) async throws -> Value) async throws -> Value {
        let database = try await TestDatabase.make(migrations: budget == nil ? [] : UsageSQL.migrations)
        let result = await Result.of {
            try await RivyaSandbox.withSandbox(settings: settings) { sandbox, url async throws in
                let world = World(
                    usage: Program(environment: [
                        "DATABASE_URL": database.url, "RIVYA_BASE_URL": url,
                        "RIVYA_API_KEY": SandboxSettings.defaultKey,
                    ]), sandbox: sandbox, pool: database.pool())
                if let budget {
                    _ = try await world.pool.query(Query.createProject, Int64(1), "films", Int64(budget), Date())
                }
                let value = await Result.of { try await body(world) }
                await world.pool.close()
                return try value.get()
            }
        }
        try await database.drop()
        return try result.get()
    }

    /// A worker, and where need be a person, bring everything to its end.
    private func finish(_ telling: inout Telling, in world: World) async throws {
        let unfinished: Statement = """
            SELECT count(*) + (SELECT count(*) FROM queued_group)
            FROM task_work WHERE due_at IS NOT NULL AND state <> 'settled'
            """
        guard try await world.count(unfinished) > 0 else { return }
        let outcome = try await world.ended(World.worker(), besidePerson: needsPerson)
        if outcome.status != 0 {
            telling.problems.append("the last worker ended with \(outcome.status): \(outcome.errors)")
        }
    }
}

extension World {
    /// Runs a command, and where it is to die, once more.
    fileprivate func run(
        _ command: Command, at number: Int, _ death: Death?, besidePerson: Bool, _ telling: inout Telling
    ) async throws {
        let arguments = try await filled(command.arguments)
        let (outcome, points) = try await watched(arguments, diesAt: death?.point ?? command.diesAt)
        telling.points[number] = points
        guard let death else {
            if command.diesAt == nil ? outcome.status != command.status : !outcome.wasKilled {
                telling.problems.append("\(arguments) ended with \(outcome.status): \(outcome.errors)")
            }
            return
        }
        guard outcome.wasKilled else { return }
        telling.wasKilled = true
        if points.last != death.point { telling.problems.append("died at \(points.last ?? "no point")") }
        guard command.isRunAgain else { return }
        let again = try await ended(arguments, besidePerson: besidePerson)
        if again.status != command.status, again.status != command.otherStatusAgain {
            telling.problems.append("run again, it ended with \(again.status): \(again.errors)")
        }
        guard command.hasLastingAnswer else { return }
        let oncemore = try await usage.run(arguments)
        // All but that it was asked before, and how many of a file's tasks were.
        func answer(_ outcome: Program.Outcome) -> String {
            let notes = outcome.errors.split(separator: "\n").filter { !$0.contains(" tasks queued, ") }
                .map { $0.components(separatedBy: " That was the answer at ")[0] }
            return ([outcome.output] + notes).joined(separator: "\n")
        }
        if oncemore.status != again.status || answer(oncemore) != answer(again) {
            telling.problems.append("asked again, it answered otherwise: \(again) and \(oncemore)")
        }
        if !outcome.output.isEmpty, outcome.output != again.output {
            telling.problems.append("it had answered \(outcome.output), and then \(again.output)")
        }
    }

    /// Runs the program to its end, beside a person who gives up every task that is in doubt where there is one.
    fileprivate func ended(_ arguments: [String], besidePerson: Bool) async throws -> Program.Outcome {
        guard besidePerson else { return try await usage.run(arguments) }
        return try await withThrowingTaskGroup(of: Program.Outcome?.self) { group in
            group.addTask { try await usage.run(arguments) }
            group.addTask {
                while !Task.isCancelled {
                    try? await Task.sleep(for: .milliseconds(50))
                    guard try await count("SELECT count(*) FROM task_work WHERE state = 'unknown'") > 0 else {
                        continue
                    }
                    // Fails while the task is being sent again.
                    _ = try await usage.run(
                        filled(["task", "resolve", "TASK", "--released", "--reason", "not there", "--by", "ann"]))
                }
                return nil
            }
            defer { group.cancelAll() }
            while let outcome = try await group.next() { if let outcome { return outcome } }
            throw CancellationError()
        }
    }

    /// Runs the program and returns the failure points that it passed.
    func watched(
        _ arguments: [String], diesAt point: String? = nil
    ) async throws -> (outcome: Program.Outcome, points: [String]) {
        let log = FileManager.default.temporaryDirectory.appending(path: "usage-points-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: log) }
        var program = usage
        program.environment["USAGE_FAILURE_POINT_LOG"] = log.path
        program.environment["USAGE_DIE_AT"] = point
        let outcome = try await program.run(arguments)
        let lines = (try? String(contentsOf: log, encoding: .utf8)) ?? ""
        return (outcome, lines.split(separator: "\n").map(String.init))
    }

    /// The arguments with the ids that they stand for.
    func filled(_ arguments: [String]) async throws -> [String] {
        var filled: [String] = []
        for argument in arguments {
            switch argument {
            case "TASK": filled.append(try await text("SELECT task_id::text FROM task ORDER BY task_id LIMIT 1"))
            case "REFUSAL": filled.append(try await text("SELECT task_id::text FROM refusal LIMIT 1"))
            default: filled.append(argument)
            }
        }
        return filled
    }

    /// What the books came to, whatever happened on the way: that a person released a hold or the provider did is one
    /// end, and a task that was never answered for is none.
    func end() async throws -> String {
        try await text(
            """
            SELECT concat_ws('; ',
                (SELECT format('%s reserved, %s', count(*), sum(amount_credits)) FROM reservation),
                (SELECT format('%s refused', count(*)) FROM refusal),
                (SELECT format('%s succeeded, %s ended otherwise, %s charged',
                               count(*) FILTER (WHERE outcome = 'succeeded'),
                               count(*) FILTER (WHERE outcome <> 'succeeded'), sum(charged_credits)) FROM settlement),
                (SELECT format('%s corrected', count(*)) FROM correction),
                (SELECT format('%s charged in the end, %s held, %s waiting', sum(charged_credits), sum(held_credits),
                               sum(waiting_credits)) FROM wallet_balance),
                (SELECT format('%s unfinished', count(*)) FROM task_work WHERE state <> 'settled'),
                (SELECT format('%s taken by none', coalesce(sum(cardinality(task_ids)), 0)) FROM queued_group),
                (SELECT format('%s wallets', count(*)) FROM wallet),
                (SELECT format('%s projects', count(*)) FROM project),
                (SELECT format('%s prices', count(*)) FROM price),
                (SELECT format('limits %s', string_agg(limit_credits::text, ' ' ORDER BY project_id, period)) FROM budget),
                (SELECT format('%s migrations', count(*)) FROM usage_migration))
            """)
    }

    private func text(_ query: Statement) async throws -> String {
        try await pool.query(query)[0].decode(at: 0, as: String.self)
    }
}

extension Result where Failure == any Error, Success: Sendable {
    /// What a body came to, so that something can be put in order before its error goes on.
    fileprivate static func of(_ body: () async throws -> Success) async -> Self {
        do { return .success(try await body()) } catch { return .failure(error) }
    }
}
