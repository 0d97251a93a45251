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

/// How tasks are printed.
enum TasksFormat: String, ExpressibleByArgument, CaseIterable {
    case table, json, csv
}

struct TasksCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tasks", abstract: "List tasks and refusals, newest first.",
        discussion: """
            With --month and --format csv, every task whose credits were held in that month, oldest first, is written as one \
            row of CSV, however many there are: what it reserved = charged + released + held adds up to the month's report.

            EXAMPLE: what needs a person
              usage tasks --state unknown

            EXAMPLE: all tasks of May, as a file for those who count for themselves
              usage tasks --month 2026-05 --format csv --output may-tasks.csv
            """)

    @Option(help: "Only of this project.")
    var project: String?

    @Option(help: "Only in this state.")
    var state: ListedState?

    @Option(help: "The most to list, 1 to 10000; 20 without it.")
    var limit: Int?

    @Option(help: ArgumentHelp("Only what is older than this task.", valueName: "task"))
    var before: String?

    @Option(help: ArgumentHelp("With --format csv: every task of this month.", valueName: "yyyy-mm"))
    var month: String?

    @Option(help: "How to print it: table for people, json for programs, csv for every task of a month.")
    var format = TasksFormat.table

    @Option(help: ArgumentHelp("With --format csv: write it to this file instead of stdout.", valueName: "file"))
    var output: String?

    @OptionGroup var wallet: WalletOption

    func validate() throws {
        if let limit, !(1...10_000).contains(limit) {
            throw ValidationError("'\(limit)' is not a number of tasks to list; write one from 1 to 10000.")
        }
        if let month, Month(month) == nil {
            throw ValidationError("'\(Check.shown(month))' is not a month; write it as 2026-05.")
        }
        if format == .csv {
            guard month != nil else {
                throw ValidationError("--format csv writes the tasks of a month; name it, such as --month 2026-05.")
            }
            guard state == nil, limit == nil, before == nil else {
                throw ValidationError(
                    "--format csv writes every task of the month; leave out --state, --limit and --before.")
            }
        } else if month != nil || output != nil {
            throw ValidationError("--month and --output go with --format csv; add it.")
        }
        if let project { try Check.slug(project, "project") }
        if let before { _ = try TaskID.argument(before) }
    }

    func run() async throws {
        if let month = month.flatMap({ Month($0) }) { return try await export(month) }
        let limit = limit ?? 20
        // One more shows whether there are older ones.
        let found = try await Books.open { books in
            let ledger = try await books.ledger(of: wallet.wallet)
            let found = try await ledger.tasks(
                of: project, in: state?.rawValue, before: before.flatMap { TaskID($0) }, limit: limit + 1)
            // Throws where there is no such project.
            if found.isEmpty, let project { _ = try await ledger.budgets(of: project, at: SystemClock.now) }
            return found
        }
        let tasks = found.prefix(limit)
        switch format {
        case .json: Terminal.print(JSONOutput.text(tasks.map { TaskLine($0) }))
        case .table, .csv:
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
            if found.count > limit, let last = tasks.last {
                let filters = [
                    project.map { "--project \($0)" }, state.map { "--state \($0.rawValue)" },
                    self.limit.map { "--limit \($0)" }, wallet.wallet == "main" ? nil : "--wallet \(wallet.wallet)",
                ].compactMap(\.self)
                Terminal.note((["Older ones: usage tasks"] + filters + ["--before \(last.id)"]).joined(separator: " "))
            }
        }
    }
}

extension TasksCommand {
    private func export(_ month: Month) async throws {
        let output = try ReportOutput(output)
        let count = try await Books.open(as: .report, connections: 1) { books in
            try await TaskExport.write(
                wallet: wallet.wallet, month: month, project: project, from: books.pool, to: { output.write($0) })
        }
        try output.finish()
        Terminal.note("\(count) tasks of wallet \(wallet.wallet) in \(month)")
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
