import Accounting
import ArgumentParser
import Ledger
import Reporting

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

struct ProjectCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "project", abstract: "Make and list projects.",
        discussion: """
            EXAMPLE: a project that may use 100 tasks of 42 credits a month
              usage project create films --month 4200
            """,
        subcommands: [Create.self, List.self])

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "create", abstract: "Make a project with its month budget.",
            discussion: """
                EXAMPLE:
                  usage project create films --month 4200
                """)

        @Argument(help: "Its name: lower-case letters, digits, - and _.")
        var project: String

        @Option(help: ArgumentHelp("The most it may use in a month, in credits.", valueName: "credits"))
        var month: Int64

        @OptionGroup var wallet: WalletOption

        func validate() throws {
            try Check.slug(project, "project")
            try Check.credits(month)
        }

        func run() async throws {
            try await Books.open { books in
                try await books.ledger(of: wallet.wallet).createProject(
                    project, month: Credits(month), at: SystemClock.now)
            }
            Terminal.note("Made project \(project) with \(Credits(month)) credits a month.")
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list", abstract: "List projects with what is left of their month.",
            discussion: """
                EXAMPLE:
                  usage project list --format json
                """)

        @OptionGroup var wallet: WalletOption
        @OptionGroup var format: FormatOption

        func run() async throws {
            let budgets = try await Books.open { books in
                try await books.ledger(of: wallet.wallet).budgets(at: SystemClock.now).filter { $0.period == .month }
            }
            BudgetList.print(budgets, as: format.format)
        }
    }
}
