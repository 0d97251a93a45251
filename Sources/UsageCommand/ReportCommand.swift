import Accounting
import ArgumentParser
import Reporting

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

extension ReportRequest.Grouping: ExpressibleByArgument {}

/// How a report is printed.
enum ReportFormat: String, ExpressibleByArgument, CaseIterable {
    case table, csv, json
}

struct ReportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report", abstract: "Report a month's spend by project, model or day.",
        discussion: """
            Credits belong to the month, in the wallet's time zone, in which they were held. In each row \
            reserved = charged + released + held; a report that does not add up is not printed. tasks counts what the \
            guard admitted; refused requests stand beside it.

            EXAMPLE: May for finance, as a file that a spreadsheet opens
              usage report --month 2026-05 --format csv --output may.csv
            """)

    @Option(help: ArgumentHelp("The month; the current one without it.", valueName: "yyyy-mm"))
    var month: String?

    @Option(help: "What a row stands for.")
    var by = ReportRequest.Grouping.project

    @Option(help: ArgumentHelp("Count only this project.", valueName: "slug"))
    var project: String?

    @Option(help: "How to print it: table for people, csv for spreadsheets, json for programs.")
    var format = ReportFormat.table

    @Option(help: ArgumentHelp("Write it to this file instead of stdout.", valueName: "file"))
    var output: String?

    @OptionGroup var wallet: WalletOption

    func validate() throws {
        if let month, Month(month) == nil {
            throw ValidationError("'\(Check.shown(month))' is not a month; write it as 2026-05.")
        }
        if let project { try Check.slug(project, "project") }
    }

    func run() async throws {
        let output = try ReportOutput(output)
        try await Books.open(as: .report, connections: 1) { books in
            let request = ReportRequest(
                wallet: wallet.wallet, month: month.flatMap { Month($0) }, grouping: by, project: project)
            let report = try await Report.make(request, from: books.pool, at: SystemClock.now)
            switch format {
            case .csv: output.write(report.csv)
            case .json: output.write(report.json)
            case .table:
                let hasColours = output.isTerminal && Terminal.hasColours
                output.write(hasColours ? report.table(style: Terminal.colour) : report.table())
            }
        }
        try output.finish()
    }
}
