import Foundation
import RivyaSandbox

/// The shortest account of what happened to a task: its entries, the provider's line, and the faults and acts that
/// touched it.
struct History: Sendable {
    let world: World
    let provider: BooksReport

    func text(of task: String, in wallet: String) async throws -> String {
        var lines = ["Task \(task) of wallet \(wallet):"]
        let shown = try await world.run(["task", task, "--wallet", wallet])
        lines += (shown.output + shown.errors).split(separator: "\n").map { "  \($0)" }
        var subjects: Set<String> = [task]
        for line in provider.tasks where line.idempotencyKey == task {
            subjects.insert(line.id)
            lines.append(
                "  the provider: \(line.id), \(line.status.rawValue), reserved \(line.reservedCredits), final "
                    + "\(line.finalCredits), created \(line.createdAt), changed \(line.updatedAt), "
                    + "\(line.createRequests) create requests, request \(line.requestSHA256)")
        }
        let own = world.tally.moments(about: subjects)
        // What happened to others while the task was under way may have been its lot too.
        let first = (own.first?.seconds ?? 0) - 2
        let last = (own.last?.seconds ?? world.tally.seconds) + 1
        let around = world.tally.moments(about: [wallet, Tally.everybody]).filter {
            (first...last).contains($0.seconds)
        }
        for moment in (own + around).sorted(by: { $0.seconds < $1.seconds }) {
            lines.append("  after \(moment.seconds.short) s: \(moment.what)")
        }
        return lines.joined(separator: "\n")
    }
}
