import Accounting
import ArgumentParser
import Ledger
import Reporting
import RivyaClient

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

struct PriceCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "price", abstract: "Set and list the price book.",
        discussion: """
            EXAMPLE: hold 84 credits for a task of ten seconds from now on
              usage price set kling-v2-5-turbo-pro --credits 84 --when duration=10
            """,
        subcommands: [Set.self, List.self])

    struct Set: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "set", abstract: "Add a price; tasks that are held already keep theirs.",
            discussion: """
                EXAMPLE: another FIXED model, and a dearer parameter value from June on
                  usage price set kling-2-6 --credits 55
                  usage price set kling-v2-5-turbo-pro --credits 84 --when duration=10 \\
                    --from 2026-06-01T00:00:00Z
                """)

        @Argument(help: "The provider's model id.")
        var model: String

        @Option(help: "What is held for one task.")
        var credits: Int64

        @Option(help: ArgumentHelp("Only for this value of a request parameter.", valueName: "parameter=value"))
        var when: String?

        @Option(
            help: ArgumentHelp(
                "First moment at which it holds, as 2026-06-01T00:00:00Z; now without it.", valueName: "moment"))
        var from: String?

        @OptionGroup var wallet: WalletOption

        func validate() throws {
            guard (1...1_000_000_000).contains(credits) else {
                throw ValidationError("'\(credits)' is not a price; write a whole number of credits from 1 to 10^9.")
            }
            guard (1...128).contains(model.utf8.count), model.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
                throw ValidationError(
                    "'\(Check.shown(model))' is not a model id; write it as in the provider's list, such as kling-2-6.")
            }
            if let when, condition == nil {
                throw ValidationError(
                    "'\(Check.shown(when))' is not a parameter and its value; write it as duration=10, at most 256 bytes."
                )
            }
            if let from, moment == nil {
                throw ValidationError("'\(Check.shown(from))' is not a moment; write it as 2026-06-01T00:00:00Z.")
            }
        }

        private var condition: (name: String, value: String)? {
            guard let when, when.utf8.count <= 256, let equals = when.firstIndex(of: "="), equals != when.startIndex
            else { return nil }
            let value = String(when[when.index(after: equals)...])
            return value.isEmpty ? nil : (String(when[..<equals]), value)
        }

        private var moment: Date? {
            // The years that a month may have.
            from.flatMap(Timestamp.iso8601).flatMap { Self.years.contains($0) ? $0 : nil }
        }

        private static let years =
            Date(timeIntervalSince1970: 946_684_800)..<Date(timeIntervalSince1970: 253_370_764_800)

        func run() async throws {
            try await Books.open { books in
                try await books.ledger(of: wallet.wallet).setPrice(
                    Price(
                        model: model, parameter: condition, amount: Credits(credits),
                        effectiveFrom: moment ?? SystemClock.now)
                )
            }
            Terminal.note(
                "A task of \(model)\(when.map { " with \($0)" } ?? "") holds \(Credits(credits)) credits from then on.")
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list", abstract: "List the price book.",
            discussion: """
                EXAMPLE:
                  usage price list
                """)

        @OptionGroup var wallet: WalletOption
        @OptionGroup var format: FormatOption

        private struct Line: Encodable {
            let model: String
            let parameter: String?
            let value: String?
            let amountCredits: Int64
            let effectiveFrom: Date
        }

        func run() async throws {
            let prices = try await Books.open { books in try await books.ledger(of: wallet.wallet).prices() }
            switch format.format {
            case .json:
                Terminal.print(
                    JSONOutput.text(
                        prices.map {
                            Line(
                                model: $0.model, parameter: $0.parameter?.name, value: $0.parameter?.value,
                                amountCredits: $0.amount.amount, effectiveFrom: $0.effectiveFrom)
                        }))
            case .table:
                var table = TextTable([.text("model"), .text("when"), .number("credits"), .text("from")])
                for price in prices {
                    let when = price.parameter.map { "\($0.name)=\($0.value)" } ?? ""
                    table.add([price.model, when, "\(price.amount)", price.effectiveFrom.text])
                }
                Terminal.print(table.render())
            }
        }
    }
}
