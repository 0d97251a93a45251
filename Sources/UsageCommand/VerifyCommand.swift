import ArgumentParser
import Reporting

struct VerifyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: "Re-count the books from their entries and list every difference.",
        discussion: """
            Reads one snapshot of all wallets and changes nothing. Exit code 0: all is right; 1: the differences are printed.

            EXAMPLE:
              usage verify --format json
            """)

    @OptionGroup var format: FormatOption

    private struct Answer: Encodable {
        let ok: Bool
        let rules: [String]
        let differences: [Difference]
    }

    func run() async throws {
        let bar = ProgressBar("verifying", total: Verification.rules.count)
        let differences = try await Books.open(as: .report, connections: 1) { books in
            try await Verification.run(on: books.pool) { _ in bar.advance() }
        }
        switch format.format {
        case .json:
            Terminal.print(
                JSONOutput.text(Answer(ok: differences.isEmpty, rules: Verification.rules, differences: differences)))
        case .table where differences.isEmpty:
            Terminal.print("ok: \(Verification.rules.joined(separator: ", "))\n")
        case .table:
            var table = TextTable([.text("rule"), .text("wallet"), .text("subject"), .text("found"), .text("expected")])
            for difference in differences {
                table.add([
                    difference.rule, difference.wallet, difference.subject, difference.found, difference.expected,
                ])
            }
            Terminal.print(table.render())
        }
        guard differences.isEmpty else { throw ExitCode.failure }
    }
}
