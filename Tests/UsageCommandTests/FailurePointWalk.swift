import Foundation
import Synchronization

/// Kills the commands of the stories at every failure point that they pass, and looks at what becomes of the books.
final class FailurePointWalk: Sendable {
    /// A death in a story, and what the story comes to without it.
    private struct Case: Sendable {
        let story: Story
        let death: Death
        let end: String
    }

    /// What a walk found.
    struct Findings: Sendable {
        /// The points at which a process died.
        var died: Set<String> = []
        var deaths = 0
        /// The points that were passed when nobody was killed.
        var passed: Set<String> = []
        /// Deaths that did not come about, because the command did not come by again: what it waits for differs from
        /// run to run.
        var notReachedAgain = 0
        var problems: [String] = []
    }

    /// How many stories are told at once.
    private static let width = 4

    private let occurrences: Int
    private let repeatsSharedPoints: Bool
    private let findings = Mutex(Findings())

    /// Plans a walk.
    ///
    /// - Parameters:
    ///   - occurrences: How often a command may pass a point until its later passes are left out.
    ///   - repeatsSharedPoints: Whether to die at the points that all commands have in each of them, rather than in one.
    init(occurrences: Int, repeatsSharedPoints: Bool) {
        self.occurrences = occurrences
        self.repeatsSharedPoints = repeatsSharedPoints
    }

    func run() async throws -> Findings {
        let cases = try await cases()
        await inParallel(cases) {
            try await self.die($0)
        } name: {
            "\($0.story.name), killed at \($0.death.point)"
        }
        try await dieReading()
        return findings.withLock { $0 }
    }

    /// Tells the stories without a death, twice, because how often a point is passed can differ, and lists the deaths.
    private func cases() async throws -> [Case] {
        typealias Told = (story: Story, step: Int, end: String, points: [String])
        let told = Mutex<[Told]>([])
        await inParallel(try Story.all()) { story in
            let first = try await story.tell()
            let second = try await story.tell()
            if !first.problems.isEmpty || second.end != first.end {
                self.report("\(story.name), undisturbed", "\(first.problems) \(first.end) \(second.end)")
            }
            for (step, points) in first.points {
                guard case .command(let command) = story.steps[step], command.isWalked else { continue }
                let stable = Set(second.points[step] ?? [])
                let walked = points.filter { stable.contains($0) && self.isWalked($0) }
                self.notePassed(points)
                told.withLock { $0.append((story, step, first.end, walked)) }
            }
        } name: {
            $0.name
        }
        let steps = told.withLock { $0 }
        // A migration runs before there is a schema, and so has not all that the others have.
        let commands = steps.filter { $0.story.budget != nil }
        let shared = commands.dropFirst().reduce(Set(commands.first?.points ?? [])) { $0.intersection($1.points) }
        var isFirst = true
        return steps.flatMap { story, step, end, points in
            defer { isFirst = false }
            return points.filter { isFirst || repeatsSharedPoints || !shared.contains($0) }
                .map { Case(story: story, death: Death(step: step, point: $0), end: end) }
        }
    }

    private func isWalked(_ point: String) -> Bool {
        point.split(separator: "#").last.flatMap { Int($0) }.map { $0 <= occurrences } ?? false
    }

    private func die(_ it: Case) async throws {
        for _ in 0..<4 {
            let telling = try await it.story.tell(it.death)
            guard telling.wasKilled else { continue }
            var problems = telling.problems
            if it.story.hasOneEnd, telling.end != it.end {
                problems.append("it came to: \(telling.end), and not to: \(it.end)")
            }
            noteDeath(at: it.death.point)
            if !problems.isEmpty {
                report("\(it.story.name), killed at \(it.death.point)", problems.joined(separator: "\n"))
            }
            return
        }
        findings.withLock { $0.notReachedAgain += 1 }
    }

    /// The commands that only read die one after the other in the same books, which stay as they are.
    private func dieReading() async throws {
        let story = Story(name: "readers", budget: 42, steps: [])
        try await story.inNewWorld { world async throws in
            for (name, status) in [("first", 0), ("second", 2)] as [(String, Int32)] {
                let outcome = try await world.usage.run(
                    "submit", "--project", "films", "--prompt", "A lighthouse", "--client-request-id", name)
                if outcome.status != status { report("readers", outcome.errors) }
            }
            _ = try await world.usage.run(World.worker())
            let end = try await world.end()
            for command in Story.readers {
                let arguments = try await world.filled(command.arguments)
                let (whole, points) = try await world.watched(arguments)
                notePassed(points)
                if whole.status != 0 { report("\(arguments)", whole.errors) }
                await inParallel(points.filter(isWalked)) { point in
                    let (outcome, passed) = try await world.watched(arguments, diesAt: point)
                    if !outcome.wasKilled || passed.last != point {
                        self.report("\(arguments)", "did not die at \(point)")
                    }
                    self.noteDeath(at: point)
                } name: {
                    "\(arguments), killed at \($0)"
                }
                let again = try await world.usage.run(arguments)
                if again.status != 0 { report("\(arguments)", again.errors) }
            }
            let problems = try await world.differences()
            if try await world.end() != end || !problems.isEmpty { report("readers", "\(problems)") }
        }
    }

    private func noteDeath(at point: String) {
        findings.withLock { findings in
            findings.deaths += 1
            findings.died.insert(name(of: point))
        }
    }

    private func notePassed(_ points: [String]) {
        findings.withLock { $0.passed.formUnion(points.map(name(of:))) }
    }

    private func name(of point: String) -> String { String(point.prefix { $0 != "#" }) }

    private func report(_ what: String, _ problem: String) {
        findings.withLock { $0.problems.append("\(what): \(problem)") }
    }

    private func inParallel<Item: Sendable>(
        _ items: [Item], _ body: @escaping @Sendable (Item) async throws -> Void,
        name: @escaping @Sendable (Item) -> String
    ) async {
        await withTaskGroup(of: Void.self) { group in
            for (index, item) in items.enumerated() {
                if index >= Self.width { await group.next() }
                group.addTask {
                    do { try await body(item) } catch { self.report(name(item), "\(error)") }
                }
            }
        }
    }
}
