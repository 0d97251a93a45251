import Accounting
import ArgumentParser
import Ledger
import Reporting

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

extension BudgetPeriod: ExpressibleByArgument {}

struct BudgetCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "budget", abstract: "Set and show what projects may use.",
        discussion: """
            EXAMPLE: at most 420 credits a day for project films
              usage budget set films --day 420
              usage budget show films
            """,
        subcommands: [Set.self, Show.self])

    struct Set: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "set", abstract: "Set a project's budgets from now on.",
            discussion: """
                A limit below what is used already refuses every further request until the period ends.

                EXAMPLE: raise the month, and take the day's limit away
                  usage budget set films --month 8400 --no-day
                """)

        @Argument(help: "The project.")
        var project: String

        @Option(help: ArgumentHelp("The most it may use in a month.", valueName: "credits"))
        var month: Int64?

        @Option(help: ArgumentHelp("The most it may use in a day.", valueName: "credits"))
        var day: Int64?

        @Option(help: ArgumentHelp("The most it may ever use.", valueName: "credits"))
        var total: Int64?

        @Flag(help: "Take the day's limit away.")
        var noDay = false

        @Flag(help: "Take the total limit away.")
        var noTotal = false

        @OptionGroup var wallet: WalletOption

        func validate() throws {
            try Check.slug(project, "project")
            for limit in [month, day, total] { try limit.map { try Check.credits($0) } }
            guard month != nil || day != nil || total != nil || noDay || noTotal else {
                throw ValidationError("Nothing to set; name a limit, such as --month 4200.")
            }
            guard day == nil || !noDay, total == nil || !noTotal else {
                throw ValidationError("A limit cannot be set and taken away at once; leave one out.")
            }
        }

        func run() async throws {
            try await Books.open { books in
                let ledger = try await books.ledger(of: wallet.wallet)
                let now = SystemClock.now
                for (period, limit) in [(BudgetPeriod.day, day), (.month, month), (.total, total)] {
                    guard let limit else { continue }
                    try await ledger.setBudget(of: project, period, to: Credits(limit), at: now)
                }
                if noDay { try await ledger.setBudget(of: project, .day, to: nil, at: now) }
                if noTotal { try await ledger.setBudget(of: project, .total, to: nil, at: now) }
                BudgetList.print(try await ledger.budgets(of: project, at: now), as: .table)
            }
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "show", abstract: "Show budgets and what is left of them.",
            discussion: """
                EXAMPLE:
                  usage budget show films
                """)

        @Argument(help: "The project; all without it.")
        var project: String?

        @OptionGroup var wallet: WalletOption
        @OptionGroup var format: FormatOption

        func validate() throws { try project.map { try Check.slug($0, "project") } }

        func run() async throws {
            let budgets = try await Books.open { books in
                try await books.ledger(of: wallet.wallet).budgets(of: project, at: SystemClock.now)
            }
            BudgetList.print(budgets, as: format.format)
        }
    }
}

/// Budgets, as lists show them.
enum BudgetList {
    private struct Line: Encodable {
        let project: String
        let period: String
        let limitCredits: Int64
        let chargedCredits: Int64
        let heldCredits: Int64
        let remainingCredits: Int64
        let resetsOn: String?
    }

    static func print(_ budgets: [BudgetUse], as format: ListFormat) {
        switch format {
        case .json:
            Terminal.print(
                JSONOutput.text(
                    budgets.map {
                        Line(
                            project: $0.project, period: $0.period.rawValue, limitCredits: $0.limit.amount,
                            chargedCredits: $0.charged.amount, heldCredits: $0.held.amount,
                            remainingCredits: $0.remaining.amount, resetsOn: $0.resetsOn)
                    }))
        case .table:
            var table = TextTable([
                .text("project"), .text("period"), .number("limit"), .number("charged"), .number("held"),
                .number("remaining"),
                .text("resets_on"),
            ])
            for budget in budgets {
                table.add([
                    budget.project, budget.period.rawValue, "\(budget.limit)", "\(budget.charged)", "\(budget.held)",
                    "\(budget.remaining)", budget.resetsOn ?? "never",
                ])
            }
            Terminal.print(table.render())
        }
    }
}
