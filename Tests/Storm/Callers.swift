import Foundation
import Synchronization

/// The people and scripts that submit: each a real `usage submit`.
final class Callers: Sendable {
    private let world: World
    private let notebook: Notebook
    private let running = Mutex(0)
    private let submitted = Mutex(0)

    init(world: World, notebook: Notebook) {
        self.world = world
        self.notebook = notebook
    }

    /// The next submissions of the plan, as far as there are callers free.
    func next(_ count: Int) -> [Submission] {
        let free = running.withLock { running in
            let free = max(0, min(count, Plan.maximumCallers - running))
            running += free
            return free
        }
        let first = submitted.withLock { submitted in
            defer { submitted += free }
            return submitted
        }
        return (first..<first + free).map { world.plan.submission($0) }
    }

    /// Runs one of ``next(_:)``, and asks again for a caller that was killed.
    func run(_ submission: Submission) async {
        defer { running.withLock { $0 -= 1 } }
        await ask(submission, killAfter: submission.killAfter)
        if submission.killAfter != nil { await ask(submission, killAfter: nil) }
    }

    /// Asks once, and notes what came back.
    ///
    /// - Returns: The drafts that got no answer, but for those that were told of a conflict.
    @discardableResult
    func ask(_ submission: Submission, killAfter: Double?, isDirect: Bool = false) async -> [Draft] {
        let name = "\(world.folder)/caller-\(UUID().uuidString)"
        defer {
            for suffix in ["out", "err", "jsonl"] { try? FileManager.default.removeItem(atPath: "\(name).\(suffix)") }
        }
        notebook.ask(submission.drafts)
        var arguments = submission.drafts[0].arguments(reference: world.reference)
        if submission.isFile {
            let lines = submission.drafts.map { $0.line(reference: world.reference) }.joined()
            guard FileManager.default.createFile(atPath: "\(name).jsonl", contents: Data(lines.utf8)) else { return [] }
            arguments = ["submit", "--wallet", submission.wallet, "--format", "json", "--file", "\(name).jsonl"]
        }
        let skew = world.plan.skew(ofSubmission: submission.number)
        guard
            let child = try? world.start(
                arguments, output: "\(name).out", errors: "\(name).err", isDirect: isDirect, clockAhead: skew)
        else { return submission.drafts }
        let end: Child.End
        if let killAfter {
            world.tally.count(.callers, "to be killed")
            end = await child.end(within: killAfter)
            if end == .signalled(SIGKILL) { world.tally.count(.kills, "submitter") }
        } else {
            world.tally.count(.callers, submission.isFile ? "with a file" : "with one request")
            let start = world.tally.seconds
            end = await child.end(within: 120)
            if world.tally.seconds - start > 30 { world.tally.count(.notes, "callers that waited over 30 s") }
        }
        return note(submission, end, output: World.text(of: "\(name).out"), errors: World.text(of: "\(name).err"))
    }

    private struct Line: Decodable {
        let outcome: String
        let taskId: String?
        let amountCredits: Int?
        let error: String?
    }

    private func note(_ submission: Submission, _ end: Child.End, output: String, errors: String) -> [Draft] {
        // What a killed caller had begun to write is no answer.
        let lines = output.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        var unanswered = Array(submission.drafts.dropFirst(lines.count))
        for (draft, text) in zip(submission.drafts, lines) {
            guard let line = try? decoder.decode(Line.self, from: Data(text.utf8)) else {
                world.tally.count(.notes, "unreadable answer: \(text.prefix(80))")
                unanswered.append(draft)
                continue
            }
            world.tally.count(.answers, line.outcome, about: line.taskId ?? "")
            if let task = line.taskId, let amount = line.amountCredits {
                notebook.note(Notebook.Answer(outcome: line.outcome, taskID: task, amount: amount), to: draft)
            } else if line.error?.contains("was used before") == true {
                world.tally.count(.answers, "conflict")
                notebook.noteConflict(draft)
            } else {
                unanswered.append(draft)
                world.tally.count(.notes, "a caller was told: \(line.error ?? "nothing")".withoutIDs)
            }
        }
        if lines.isEmpty, end != .signalled(SIGKILL), let sentence = errors.split(separator: "\n").first {
            world.tally.count(.notes, "a caller was told: \(sentence)".withoutIDs)
        }
        return unanswered
    }
}

extension String {
    /// The text with what differs from one time to the next left out, so that equal messages count together.
    var withoutIDs: String {
        split(separator: " ").map { word in
            word.count > 20 && word.contains { $0.isNumber } ? "…" : String(word)
        }.joined(separator: " ")
    }
}
