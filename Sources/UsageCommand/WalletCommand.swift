import Accounting
import ArgumentParser
import Ledger
import Reporting
import Worker

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

struct WalletCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "wallet", abstract: "Show wallets, read or record their balance, and make new ones.",
        discussion: """
            EXAMPLE: record what Rivya's web page shows, and make a second wallet
              usage wallet --set 12600 --by ann
              usage wallet create studio --time-zone Europe/Berlin \\
                --key-variable RIVYA_API_KEY_STUDIO
            """,
        subcommands: [Show.self, Create.self], defaultSubcommand: Show.self)

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "show", abstract: "Show wallets; read the balance from the provider, or record one by hand.",
            discussion: """
                EXAMPLE: ask the provider
                  usage wallet --read
                """)

        @Flag(help: "Read the balance from the provider first.")
        var read = false

        @Option(help: ArgumentHelp("Record this balance by hand first.", valueName: "credits"))
        var set: Int64?

        @Option(help: ArgumentHelp("Who says so; goes with --set.", valueName: "name"))
        var by: String?

        @Option(help: ArgumentHelp("The wallet; all without it, and main with --read or --set.", valueName: "slug"))
        var wallet: String?

        @OptionGroup var format: FormatOption

        func validate() throws {
            guard (set == nil) == (by == nil) else {
                throw ValidationError(
                    "--set and --by go together: who says so is recorded, as in --set 12600 --by ann.")
            }
            guard !read || set == nil else { throw ValidationError("Use --read or --set, not both.") }
            if let wallet { try Check.slug(wallet, "wallet") }
            if let set { try Check.credits(set) }
            if let by { try Check.person(by) }
        }

        func run() async throws {
            try await Books.open { books in
                if read || set != nil { try await takeReading(books) }
                let wallets = try await Wallet.all(in: books.pool, slug: wallet)
                if wallets.isEmpty, let wallet { throw LedgerError.unknownWallet(wallet) }
                WalletList.print(wallets, as: format.format)
            }
        }

        private func takeReading(_ books: Books) async throws {
            let ledger = try await books.ledger(of: wallet ?? "main")
            let reading: WalletReading
            if let set {
                reading = try await ledger.finishReading(
                    try await ledger.beginReading(), current: Credits(set), by: by, at: SystemClock.now)
            } else {
                reading = try await Provider.withClient(of: ledger.wallet) {
                    try await ledger.readBalance(from: $0, clock: { SystemClock.now })
                }
            }
            guard reading.unattributed != .zero else { return }
            Terminal.note(reading.unattributed.unattributedSentence(since: " since the last reading"))
        }
    }

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "create", abstract: "Make a wallet for another provider account.",
            discussion: """
                EXAMPLE:
                  usage wallet create studio --time-zone Europe/Berlin \\
                    --key-variable RIVYA_API_KEY_STUDIO
                """)

        @Argument(help: "Its name: lower-case letters, digits, - and _.")
        var slug: String

        @Option(help: ArgumentHelp("The time zone of its days and months.", valueName: "zone"))
        var timeZone = "UTC"

        @Option(
            help: ArgumentHelp(
                "The environment variable that holds its API key; never the key itself.", valueName: "name"))
        var keyVariable: String

        func validate() throws {
            try Check.slug(slug, "wallet")
            guard (1...64).contains(timeZone.utf8.count), Check.isOneLine(timeZone) else {
                throw ValidationError(
                    "'\(Check.shown(timeZone))' is not a time zone; write it as Europe/Berlin or UTC.")
            }
            let isName = keyVariable.utf8.allSatisfy { (65...90).contains($0) || (48...57).contains($0) || $0 == 95 }
            guard (1...128).contains(keyVariable.utf8.count), isName,
                keyVariable.utf8.first.map({ !(48...57).contains($0) }) == true
            else {
                // A key that was given by mistake is not repeated here.
                throw ValidationError(
                    "--key-variable takes the name of an environment variable, such as RIVYA_API_KEY_STUDIO, not a key."
                )
            }
        }

        func run() async throws {
            try await Books.open { books in
                try await Wallet.create(
                    slug, timeZone: timeZone, apiKeyVariable: keyVariable, at: SystemClock.now, in: books.pool)
            }
            Terminal.note(
                "Made wallet \(slug); its gate opens with its first reading: usage wallet --read --wallet \(slug)")
        }
    }
}

/// Wallets, as lists show them.
private enum WalletList {
    private struct Line: Encodable {
        let wallet: String
        let timeZone: String
        let apiKeyVariable: String
        let reservedCredits: Int64
        let chargedCredits: Int64
        let releasedCredits: Int64
        let heldCredits: Int64
        let readingCredits: Int64?
        let readAt: Date?
        let availableCredits: Int64?
        let gate: String
        let guardMisses: Int64
        let unattributedCredits: Int64
    }

    static func print(_ wallets: [(wallet: Wallet, balance: WalletBalance)], as format: ListFormat) {
        switch format {
        case .json:
            Terminal.print(
                JSONOutput.text(
                    wallets.map { wallet, balance in
                        Line(
                            wallet: wallet.slug, timeZone: wallet.timeZone, apiKeyVariable: wallet.apiKeyVariable,
                            reservedCredits: balance.reserved.amount, chargedCredits: balance.charged.amount,
                            releasedCredits: balance.released.amount, heldCredits: balance.held.amount,
                            readingCredits: balance.reading?.amount, readAt: balance.readAt,
                            availableCredits: balance.available?.amount, gate: balance.gate?.rawValue ?? "open",
                            guardMisses: balance.guardMisses, unattributedCredits: balance.unattributed.amount)
                    }))
        case .table:
            var table = TextTable([
                .text("wallet"), .number("reading"), .text("read_at"), .number("available"), .number("held"),
                .number("charged"),
                .number("unattributed"), .number("guard_misses"), .text("gate"),
            ])
            for (wallet, balance) in wallets {
                table.add([
                    wallet.slug, balance.reading?.description ?? "none", balance.readAt?.text ?? "never",
                    balance.available?.description ?? "none", "\(balance.held)", "\(balance.charged)",
                    "\(balance.unattributed)",
                    "\(balance.guardMisses)", balance.gate?.rawValue ?? "open",
                ])
            }
            Terminal.print(table.render())
        }
    }
}
