import ArgumentParser
import Foundation

/// The `storm` command.
@main
struct StormCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "storm",
        abstract: "Run the real programs under every fault there is, and compare three accounts of the truth.",
        discussion: """
            Starts a PostgreSQL, a sandbox, workers and callers of its own, on loopback and unix sockets, kills and cuts them \
            as the seed says, waits for quiet, and compares our books, usage verify and the provider's books to the credit. \
            The last line is "differences: N"; exit code 0 only if N is 0.

            EXAMPLE: see what seed 7 does, then do it
              storm --seed 7 --plan
              storm --seed 7 --seconds 60
            """)

    @Option(help: "Decides everything; the same seed gives the same faults. A random one without it.")
    var seed: UInt64?

    @Option(help: "How long the faults last, at the least.")
    var seconds = 60.0

    @Option(help: "How many processes are killed, at the least.")
    var kills = 0

    @Option(help: ArgumentHelp("Events of the plan to leave out: numbers, with commas between.", valueName: "numbers"))
    var without: String?

    @Option(
        help: ArgumentHelp(
            "After a difference, look for a shorter list of events that still shows one, for so long.",
            valueName: "seconds"))
    var shrink: Double?

    @Flag(help: "Give processes clocks that differ by up to two hours.")
    var skew = false

    @Flag(help: "Print what the seed has in store, and do nothing.")
    var plan = false

    @Option(help: ArgumentHelp("Make one of the books wrong in the end: ours, provider or answer.", valueName: "books"))
    var tamper: Tampering?

    private func numbers() throws -> Set<Int> {
        Set(
            try (without ?? "").split(separator: ",").map { text in
                guard let number = Int(text) else { throw ValidationError("'\(text)' is not an event's number.") }
                return number
            })
    }

    func validate() throws {
        guard (1...86_400).contains(seconds) else {
            throw ValidationError("'\(seconds)' is not a time for a storm; write seconds from 1 to 86400.")
        }
        _ = try numbers()
    }

    func run() async throws {
        let seed = seed ?? UInt64.random(in: 1...UInt64(UInt32.max))
        let plan = Plan(seed: seed, isSkewed: skew)
        if self.plan { return Report.print(plan, seconds: seconds) }
        var options = ["--seed", "\(seed)", "--seconds", "\(seconds)", "--kills", "\(kills)"]
        if skew { options.append("--skew") }
        let command = (["storm"] + options + (without.map { ["--without", $0] } ?? [])).joined(separator: " ")
        Report.note(
            "\(command): \(plan.wallets.count) wallets, \(plan.workers.count) workers, from \(plan.start.ISO8601Format())"
        )
        let tally = Tally()
        let program = URL(filePath: CommandLine.arguments[0])
        let usage = program.deletingLastPathComponent().appending(path: "usage").path
        let left = try numbers()
        let storm = Storm(
            plan: plan, program: usage, seconds: seconds, kills: kills, left: left, tampering: tamper)
        let outcome = try await storm.run(tally: tally)
        guard !outcome.differences.isEmpty, let shrink else {
            Report.print(outcome, tally, command: command)
            guard outcome.differences.isEmpty else { throw ExitCode.failure }
            return
        }
        let events = plan.events(until: tally.seconds).filter { !left.contains($0.number) && $0.act.subject != nil }
        let leftOut = try await Shrink(
            program: program.path, options: options, left: left, stormSeconds: seconds,
            deadline: .now + .seconds(shrink)
        ).run(events.map(\.number))
        Report.print(outcome, tally, command: command, leftOver: events.filter { !leftOut.contains($0.number) })
        throw ExitCode.failure
    }
}
