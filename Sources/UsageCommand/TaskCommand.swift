import Accounting
import ArgumentParser
import Ledger
import Reporting

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

struct TaskCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "task", abstract: "Show all about one task, or end it by hand.",
        discussion: """
            EXAMPLE: see what happened, then end it with what Rivya's web page shows
              usage task 019a8f3e-5a00-7c3d-9b1e-2f6a7d8c9b0a
              usage task resolve 019a8f3e-5a00-7c3d-9b1e-2f6a7d8c9b0a --released \\
                --reason "not on Rivya's list" --by ann
            """,
        subcommands: [Show.self, Resolve.self], defaultSubcommand: Show.self)

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "show", abstract: "Show a task: its state, its credits and all that happened to it.",
            discussion: """
                EXAMPLE:
                  usage task 019a8f3e-5a00-7c3d-9b1e-2f6a7d8c9b0a
                """)

        @Argument(help: "The task's id.")
        var task: String

        @OptionGroup var wallet: WalletOption
        @OptionGroup var format: FormatOption

        func validate() throws { _ = try TaskID.argument(task) }

        func run() async throws {
            let id = try TaskID.argument(task)
            try await Books.open { books in
                let ledger = try await books.ledger(of: wallet.wallet)
                if let details = try await ledger.task(id) {
                    Terminal.print(format.format == .json ? JSONOutput.text(TaskLine(details)) : text(details))
                } else if let (project, refusal) = try await ledger.refusal(id) {
                    Terminal.print(
                        format.format == .json ? JSONOutput.text(RefusalLine(project, refusal)) : text(project, refusal)
                    )
                } else {
                    throw Mistake("There is no task \(id) in wallet \(wallet.wallet); see: usage tasks")
                }
            }
        }

        private func text(_ details: TaskDetails) -> String {
            let task = details.summary
            var facts = [
                ("task", "\(task.id)"), ("project", task.project), ("model", task.model), ("state", task.state),
                ("client request", task.clientRequestID), ("provider's task", task.providerTaskID ?? "none yet"),
                ("reserved", "\(task.reserved) credits"), ("charged", "\(task.charged) credits"),
            ]
            if let dueAt = details.dueAt { facts.append(("next visit", dueAt.text)) }
            if task.state == "unknown", details.dueAt == nil {
                facts.append(("needs", "a person: usage task resolve \(task.id) --charged N | --released"))
            }
            if task.state == "queued", details.body == nil {
                facts.append(("waits for", "its references to be uploaded"))
            }
            if let urls = details.resultURLs { facts.append(("results", urls)) }
            if let body = details.body { facts.append(("request", String(decoding: body, as: UTF8.self))) }
            var table = TextTable([.text("at"), .text("event"), .text("detail")])
            for event in details.events { table.add([event.at.text, event.event, event.detail]) }
            return lines(facts) + "\n" + table.render()
        }

        private func text(_ project: String, _ refusal: Refusal) -> String {
            lines(
                [
                    ("request", "\(refusal.taskID)"), ("project", project), ("state", "refused"),
                    ("asked for", "\(refusal.amount) credits"), ("at", refusal.refusedAt.text),
                ] + refusal.reasons.map { ("because", $0.description) })
        }

        private func lines(_ facts: [(String, String)]) -> String {
            let width = facts.map(\.0.count).max() ?? 0
            return facts.map { $0 + String(repeating: " ", count: width - $0.count + 2) + $1 + "\n" }.joined()
        }
    }

    struct Resolve: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "resolve", abstract: "End a task's hold by hand, with what the provider's own page shows.",
            discussion: """
                For a task in state unknown. Who says so, and why, is recorded. Should the provider say otherwise later, the \
                difference is booked as a correction.

                EXAMPLE:
                  usage task resolve 019a8f3e-5a00-7c3d-9b1e-2f6a7d8c9b0a --charged 42 \\
                    --reason "seen on Rivya" --by ann
                """)

        @Argument(help: "The task's id.")
        var task: String

        @Option(help: ArgumentHelp("The provider took these credits for good.", valueName: "credits"))
        var charged: Int64?

        @Flag(help: "The provider took nothing, or gave all back.")
        var released = false

        @Flag(help: "With --charged: more than the task holds, if the provider did take it.")
        var beyondHold = false

        @Option(help: ArgumentHelp("Why you say so.", valueName: "text"))
        var reason: String

        @Option(help: ArgumentHelp("Who you are.", valueName: "name"))
        var by: String

        @Option(help: ArgumentHelp("After how long the provider is asked once more.", valueName: "seconds"))
        var recheckDelay = 60.0

        @OptionGroup var wallet: WalletOption

        func validate() throws {
            _ = try TaskID.argument(task)
            guard (charged != nil) != released else {
                throw ValidationError("Say what became of the credits: either --charged N or --released.")
            }
            if let charged { try Check.credits(charged, atLeast: 1) }
            guard charged != nil || !beyondHold else {
                throw ValidationError("--beyond-hold goes with --charged; leave it out.")
            }
            try Check.person(by)
            guard (0.05...86_400).contains(recheckDelay) else {
                throw ValidationError(
                    "'\(recheckDelay)' is not a time for --recheck-delay; write seconds from 0.05 to 86400.")
            }
            guard !reason.trimmed.isEmpty, reason.utf8.count <= 1000, Check.isOneLine(reason) else {
                throw ValidationError("--reason needs a few words, on one line, at most 1000 bytes.")
            }
        }

        func run() async throws {
            let id = try TaskID.argument(task)
            let charge = Credits(charged ?? 0)
            let outcome = try await Books.open { books in
                let ledger = try await books.ledger(of: wallet.wallet)
                // A slip of the finger would stand in the books for good.
                if charge > .zero, !beyondHold, let task = try await ledger.task(id)?.summary,
                    !["succeeded", "failed", "rejected"].contains(task.state), charge > task.reserved
                {
                    throw Mistake(
                        "Task \(id) holds \(task.reserved) credits, and \(charge) are more; if the provider took them, add --beyond-hold."
                    )
                }
                let outcome = try await ledger.settle(
                    Settlement(
                        resolving: id, charged: charge, by: by, reason: reason, at: SystemClock.now,
                        recheckAt: try await ledger.databaseTime() + recheckDelay))
                if outcome == .unknownTask, try await ledger.refusal(id) != nil {
                    throw Mistake("Request \(id) was refused, so nothing is held for it.")
                }
                return outcome
            }
            switch outcome {
            case .settled: Terminal.note("Task \(id) has ended: \(charge) credits charged, the rest released.")
            case .beingSent: throw Mistake("A worker is sending task \(id) at this moment; try again in some seconds.")
            case .unknownTask: throw Mistake("There is no task \(id) in wallet \(wallet.wallet); see: usage tasks")
            default: throw Mistake("Task \(id) had ended before; nothing was changed. See: usage task \(id)")
            }
        }
    }
}

/// A refusal as JSON shows it.
private struct RefusalLine: Encodable {
    let taskId: String
    let project: String
    let state = "refused"
    let amountCredits: Int64
    let refusedAt: Date
    let reasons: [RefusalReason]

    init(_ project: String, _ refusal: Refusal) {
        taskId = "\(refusal.taskID)"
        self.project = project
        amountCredits = refusal.amount.amount
        refusedAt = refusal.refusedAt
        reasons = refusal.reasons
    }
}
