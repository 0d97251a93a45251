import ArgumentParser
import Foundation
import RivyaSandbox

/// The stand-in provider as a process of its own: prints its address, and then ten times a second what it has seen, as JSON.
struct ProviderCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "provider", abstract: "The stand-in provider as a process of its own.", shouldDisplay: false)

    @Option var secondsToFinish: Double

    /// What a line says.
    struct Line: Codable, Sendable {
        /// Status requests so far.
        let statusRequests: Int
        /// Create requests so far.
        let createRequests: Int
        let mostRequestsAtOnce: Int
        let totals: BooksReport.Totals
    }

    func run() async throws {
        let settings = SandboxSettings(openingCredits: 1_000_000_000_000, secondsToFinish: secondsToFinish)
        try await RivyaSandbox.withSandbox(settings: settings) { sandbox, baseURL in
            say(Data(baseURL.utf8))
            while !Task.isCancelled {
                try await Task.sleep(for: .milliseconds(100))
                let report = await sandbox.books.report(includingTasks: false)
                let line = Line(
                    statusRequests: report.requests["status", default: 0],
                    createRequests: report.requests["create", default: 0],
                    mostRequestsAtOnce: report.mostRequestsAtOnce, totals: report.totals)
                say(try JSONEncoder().encode(line))
            }
        }
    }

    private func say(_ line: Data) { FileHandle.standardOutput.write(line + Data("\n".utf8)) }
}
