import Accounting
import ArgumentParser
import Ledger
import Reporting

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The states by which tasks can be listed.
enum ListedState: String, ExpressibleByArgument, CaseIterable {
    case queued, sending, accepted, unknown, succeeded, failed, rejected, refused
}

struct TasksCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tasks", abstract: "List tasks and refusals, newest first.",
        discussion: """
            EXAMPLE: what needs a person
              usage tasks --state unknown
            """)

    @Option(help: "Only of this project.")
    var project: String?

    @Option(help: "Only in this state.")
    var state: ListedState?

    @Option(help: "The most to list, 1 to 10000.")
    var limit = 20

    @Option(help: ArgumentHelp("Only what is older than this task.", valueName: "task"))
    var before: String?

    @OptionGroup var wallet: WalletOption
    @OptionGroup var format: FormatOption

    func validate() throws {
        guard (1...10_000).contains(limit) else {
            throw ValidationError("'\(limit)' is not a number of tasks to list; write one from 1 to 10000.")
        }
        if let project { try Check.slug(project, "project") }
        if let before { _ = try TaskID.argument(before) }
    }

    func run() async throws {
        let tasks = try await Books.open { books in
            try await books.ledger(of: wallet.wallet).tasks(
                of: project, in: state?.rawValue, before: before.flatMap { TaskID($0) }, limit: limit)
        }
        switch format.format {
        case .json: Terminal.print(JSONOutput.text(tasks.map { TaskLine($0) }))
        case .table:
            var table = TextTable([
                .text("task"), .text("project"), .text("model"), .text("state"), .number("reserved"),
                .number("charged"),
                .text("submitted_at"),
            ])
            for task in tasks {
                table.add([
                    "\(task.id)", task.project, task.model, task.state, "\(task.reserved)", "\(task.charged)",
                    task.submittedAt.text,
                ])
            }
            Terminal.print(table.render())
            if tasks.count == limit, let last = tasks.last {
                Terminal.note("Older ones: usage tasks --before \(last.id)")
            }
        }
    }
}

extension TaskID {
    /// Reads an id from the command line.
    static func argument(_ text: String) throws -> TaskID {
        guard let id = TaskID(text) else {
            throw ValidationError("'\(Check.shown(text))' is not the id of a task; copy it from: usage tasks")
        }
        return id
    }
}
