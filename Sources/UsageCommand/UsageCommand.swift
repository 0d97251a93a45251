import ArgumentParser
import Logging

/// The `usage` command.
@main
struct UsageCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "usage",
        abstract: "Credit accounting for Rivya: budgets per project, nothing sent over them, and a report for finance.",
        discussion: """
            EXAMPLE: see it work against a sandbox, without a key or a database
              usage demo

            SETTINGS (environment)
              DATABASE_URL     PostgreSQL 15 or newer; a private one runs without it
              USAGE_HOME       data folder of the private PostgreSQL
              RIVYA_API_KEY    the provider's API key, for wallet main
              RIVYA_BASE_URL   the provider; https://rivya.ai unless set
              USAGE_LOG_LEVEL  debug, info, notice, warning or error

            EXIT CODES: 0 done, 1 failed, 2 refused by the guard, 64 wrong usage
            """,
        version: "0.1.0",
        subcommands: [
            SubmitCommand.self, TasksCommand.self, TaskCommand.self, WorkerCommand.self, ReportCommand.self,
            ProjectCommand.self, BudgetCommand.self, PriceCommand.self, WalletCommand.self, VerifyCommand.self,
            ExportCommand.self, MigrateCommand.self, PostgresCommand.self, SandboxCommand.self, DemoCommand.self,
            BenchDataCommand.self,
        ])

    static func main() async {
        LoggingSystem.bootstrap { label in
            var handler = StreamLogHandler.standardError(label: label)
            handler.logLevel = Environment.logLevel ?? .warning
            return handler
        }
        do {
            var command = try parseAsRoot()
            if var command = command as? any AsyncParsableCommand { try await command.run() } else { try command.run() }
        } catch {
            guard exitCode(for: error).isSuccess else {
                let text = text(for: error)
                if !text.isEmpty { Terminal.note(text) }
                exit(withError: exitCode(for: error))
            }
            exit(withError: error)
        }
    }

    /// What is told of an error: the parser's text, but what may quote an argument, a file or a server is on one line,
    /// bounded, and without keys.
    static func text(for error: any Error) -> String {
        let (text, message) = (fullMessage(for: error), message(for: error))
        guard !message.isEmpty, let quoted = text.firstRange(of: message) else { return text }
        return text[..<quoted.lowerBound] + Check.shown(message, limit: 1000) + text[quoted.upperBound...]
    }
}

extension ExitCode {
    /// The guard turned the request away.
    static let refused = ExitCode(2)
}

/// A mistake that a person can mend, as one sentence.
struct Mistake: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
