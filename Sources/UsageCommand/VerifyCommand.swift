import ArgumentParser
import Reporting

struct VerifyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: "Re-count the books from their entries and list every difference.",
        discussion: """
            Reads one snapshot of all wallets and changes nothing. Exit code 0: all is right; 1: the differences are printed. \
            Each wallet's entries form a chain of hashes, and its head is printed: who keeps it can tell later that nothing \
            up to it was changed. With --chain, an exported file is proved instead, without the database.

            EXAMPLE: prove the books; prove an export, and that it still holds what was noted down in May
              usage verify --format json
              usage verify --chain may.entries --head "$(cat may.head)"
            """)

    @Option(help: ArgumentHelp("Prove this file that usage export wrote; no database is used.", valueName: "file"))
    var chain: String?

    @Option(help: ArgumentHelp("With --chain: a head that was noted down earlier.", valueName: "number:hash"))
    var head: String?

    @OptionGroup var format: FormatOption

    private struct Answer: Encodable {
        let ok: Bool
        let rules: [String]
        let differences: [Difference]
        let heads: [ChainHead]
    }

    func validate() throws {
        guard let head else { return }
        guard chain != nil else { throw ValidationError("--head goes with --chain; name the exported file.") }
        guard ChainAnchor(head) != nil else {
            throw ValidationError(
                "'\(head.prefix(80))' is not a head; write it as usage verify prints it, such as 1234:9f86d0….")
        }
    }

    func run() async throws {
        if let chain {
            let bar = ProgressBar("proving", total: 100)
            var shown = 0
            let proved = try EntryFile.prove(chain, anchor: head.flatMap { ChainAnchor($0) }) { share in
                while shown < Int(share * 100) {
                    bar.advance()
                    shown += 1
                }
            }
            return try show(proved)
        }
        let bar = ProgressBar("verifying", total: Verification.steps)
        let verification = try await Books.open(as: .report, connections: 1) { books in
            try await Verification.make(on: books.pool) { _ in bar.advance() }
        }
        try show(verification)
    }

    private func show(_ proved: Verification) throws {
        let isRight = proved.differences.isEmpty
        switch format.format {
        case .json:
            Terminal.print(
                JSONOutput.text(
                    Answer(ok: isRight, rules: proved.rules, differences: proved.differences, heads: proved.heads)))
        case .table:
            if isRight {
                Terminal.print("ok: \(proved.rules.joined(separator: ", "))\n")
            } else {
                showDifferences(proved)
            }
            for head in proved.heads where head.entries > 0 {
                Terminal.print("wallet \(head.wallet): \(head.entries) entries, head \(head.anchor)\n")
            }
        }
        guard isRight else { throw ExitCode.failure }
    }

    private func showDifferences(_ proved: Verification) {
        var table = TextTable([.text("rule"), .text("wallet"), .text("subject"), .text("found"), .text("expected")])
        for difference in proved.differences {
            table.add([
                difference.rule, difference.wallet, difference.subject, difference.found, difference.expected,
            ])
        }
        Terminal.print(table.render())
    }
}
