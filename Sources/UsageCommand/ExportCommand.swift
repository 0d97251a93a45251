import ArgumentParser
import Reporting

struct ExportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export", abstract: "Write every entry of a wallet with its hash, to be proved elsewhere.",
        discussion: """
            One line an entry: its hash, a space, and the entry as a JSON array. Each hash is the SHA-256 of the hash before \
            it and the entry, so a row that is changed, added, taken out or moved later shows; docs/entry-chain.md has the \
            few lines of code that prove it without this program.

            EXAMPLE: keep the month's entries, and prove them a year later without the database
              usage export --output may.entries
              usage verify --chain may.entries
            """)

    @Option(help: ArgumentHelp("Write it to this file instead of stdout.", valueName: "file"))
    var output: String?

    @OptionGroup var wallet: WalletOption

    func run() async throws {
        let output = try ReportOutput(output)
        let head = try await Books.open(as: .report, connections: 1) { books in
            try await EntryExport.write(wallet: wallet.wallet, from: books.pool) { output.write($0) }
        }
        try output.finish()
        Terminal.note("\(head.entries) entries of wallet \(head.wallet); the head is \(head.anchor)")
    }
}
