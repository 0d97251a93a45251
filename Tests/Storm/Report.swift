import Foundation

/// What a storm prints: progress on stderr, the rest on stdout.
enum Report {
    /// Writes a line to stderr.
    static func note(_ text: String) { FileHandle.standardError.write(Data((text + "\n").utf8)) }

    /// Prints what a plan has in store.
    static func print(_ plan: Plan, seconds: Double) {
        Swift.print("seed \(plan.seed), from \(plan.start.ISO8601Format())")
        for wallet in plan.wallets {
            Swift.print("wallet \(wallet.slug) in \(wallet.timeZone): \(wallet.projects.joined(separator: ", "))")
        }
        for (number, wallet) in plan.workers.enumerated() { Swift.print("worker \(number) for \(wallet.slug)") }
        for event in plan.events(until: seconds) { Swift.print(event) }
    }

    /// Prints what came of a storm; the last line is the number of differences.
    ///
    /// - Parameter leftOver: The events that a search for a shorter list could not do without.
    static func print(_ outcome: Storm.Outcome, _ tally: Tally, command: String, leftOver: [Event]? = nil) {
        var lines = [
            "tasks\t\(outcome.tasks)", "refusals\t\(outcome.refusals)", "charged credits\t\(outcome.chargedCredits)",
            "seconds\t\(Int(tally.seconds))",
        ]
        for kind in [Tally.Kind.kills, .faults] {
            var counts = tally.counts(of: kind)
            if kind == .faults { counts.merge(outcome.sandboxFaults.map { ("provider: \($0)", $1) }) { $0 + $1 } }
            lines.append("\(kind.rawValue)\t\(counts.values.reduce(0, +))")
            lines += counts.sorted { $0.key < $1.key }.map { "  \($0.key)\t\($0.value)" }
        }
        for kind in [Tally.Kind.callers, .answers, .acts] {
            lines += tally.counts(of: kind).sorted { $0.key < $1.key }.map {
                "\(kind.rawValue): \($0.key)\t\($0.value)"
            }
        }
        lines += outcome.events.sorted { $0.key < $1.key }.map { "in the books: \($0.key)\t\($0.value)" }
        lines += outcome.requests.sorted { $0.key < $1.key }.map { "requests to the provider: \($0.key)\t\($0.value)" }
        lines += outcome.strays.sorted { $0.key < $1.key }.map { "unattributed by right: \($0.key)\t\($0.value)" }
        for line in lines { Swift.print(line) }
        for (text, count) in tally.counts(of: .notes).sorted(by: { $0.key < $1.key }) { note("\(count) × \(text)") }
        for difference in outcome.differences { Swift.print("difference: \(difference)") }
        for history in outcome.histories { Swift.print(history) }
        if let leftOver {
            Swift.print("A difference shows with these events and the callers alone:")
            for event in leftOver { Swift.print("  \(event)") }
        }
        if !outcome.differences.isEmpty { Swift.print("to repeat it: \(command)") }
        Swift.print("differences: \(outcome.differences.count)")
    }
}
