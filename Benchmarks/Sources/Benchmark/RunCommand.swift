import ArgumentParser
import Foundation

/// Runs benchmarks and prints what they found.
struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Runs benchmarks against a PostgreSQL of its own.",
        discussion: """
            Exit code 0: the books add up after every benchmark, whatever the figures; 1: they do not, or a part failed.

            EXAMPLE: fifty and a thousand callers, seven rounds, kept as JSON
              scripts/benchmark reserve-50 reserve-1000 --rounds 7 --json reserve.json
            """)

    @Argument(help: ArgumentHelp("Which to run; all without one.", valueName: "name"))
    var names: [String] = []

    @Option(help: ArgumentHelp("Write all figures to this file as JSON.", valueName: "file"))
    var json: String?

    @Option(
        help: ArgumentHelp("How often each part is measured, in turns; at least 5 for figures to keep.", valueName: "n")
    )
    var rounds = 5

    @Option(help: ArgumentHelp("How long each part runs in a round.", valueName: "s"))
    var seconds = 3

    @Flag(help: "One second a round: to see that it works, not for figures.")
    var quick = false

    @Flag(help: "List the benchmarks and what they show.")
    var list = false

    func validate() throws {
        let known = Benchmark.all.map(\.name)
        if let unknown = names.first(where: { !known.contains($0) }) {
            throw ValidationError("There is no benchmark '\(unknown)'; see scripts/benchmark --list")
        }
        guard (1...100).contains(rounds) else { throw ValidationError("--rounds is a number from 1 to 100.") }
        guard (1...600).contains(seconds) else { throw ValidationError("--seconds is a number from 1 to 600.") }
    }

    func run() async throws {
        if list {
            let width = Benchmark.all.map(\.name.count).max() ?? 0
            for one in Benchmark.all {
                print(one.name.padding(toLength: width + 2, withPad: " ", startingAt: 0) + one.summary)
            }
            return
        }
        let server = try BenchmarkServer.start()
        defer { server.remove() }
        let stage = Stage(server: server, rounds: rounds, seconds: quick ? 1 : seconds)
        var results = Results(conditions: try await Conditions.find(stage))
        Progress.show(results.conditions.text)
        for one in Benchmark.all where names.isEmpty || names.contains(one.name) {
            Progress.note("\(one.name): \(one.summary)")
            do { results.add(try await one.run(stage), of: one) } catch {
                // The others still say something.
                results.add(Report(problems: ["it failed: \(error)"]), of: one)
            }
            Progress.show(results.texts.last ?? "")
        }
        if let json { try results.json().write(to: URL(filePath: json)) }
        guard results.problems.isEmpty else {
            Progress.note("The books do not add up, or a part failed: see above.")
            throw ExitCode.failure
        }
    }
}

/// What is said on the way.
enum Progress {
    /// A result, on stdout and at once.
    static func show(_ text: String) { FileHandle.standardOutput.write(Data((text + "\n").utf8)) }

    /// How far it is, on stderr.
    static func note(_ text: String) { FileHandle.standardError.write(Data((text + "\n").utf8)) }
}
