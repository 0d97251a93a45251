import Accounting
import ArgumentParser
import Foundation
import RivyaClient
import RivyaSandbox

@testable import UsageCommand

extension Decoder {
    /// The arguments of `usage`, one a line: whatever is typed gives a command in bounds, or one sentence.
    static let arguments = Decoder(name: "arguments", maximumBytes: 1024) { bytes in
        let arguments = bytes.split(separator: 10, omittingEmptySubsequences: false).prefix(24)
            .map { String(decoding: $0, as: UTF8.self) }
        do {
            try holdBounds(of: UsageCommand.parseAsRoot(arguments))
        } catch let finding as Finding {
            throw finding
        } catch {
            try holdRefusal(error)
        }
    }

    private static func holdRefusal(_ error: any Error) throws {
        let status = UsageCommand.exitCode(for: error)
        try hold([.success, .validationFailure, .failure].contains(status), "exit code \(status.rawValue)")
        guard status != .success else { return }
        let text = UsageCommand.text(for: error)
        try hold(text.utf8.count <= 6000, "a message of \(text.utf8.count) bytes")
        try hold(!contains(text, "rvya_sk_"), "a message shows a key: \(text)")
        // The sentence, and below it the parser's own lines about help and usage.
        let lines = text.split(separator: "\n")
        try hold(lines.first?.hasPrefix("Error: ") ?? false, "no sentence: \(text)")
        try holdSentence(String(lines.first ?? ""))
        let own = lines.dropFirst().filter {
            !["Usage:", "Help:", "  See", " ", "OVERVIEW"].contains(where: $0.hasPrefix)
        }
        try hold(own.isEmpty || text.contains("OVERVIEW"), "a second line: \(text)")
    }

    private static func holdBounds(of command: any ParsableCommand) throws {
        let credits = 0...Int64(1_000_000_000_000_000)
        switch command {
        case let command as ReportCommand:
            try hold(command.month.map { Month($0) != nil } ?? true, "a month that is none")
            try hold(command.project.map(Slug.isValid) ?? true, "a project that is none")
        case let command as TasksCommand:
            try hold(command.limit.map((1...10_000).contains) ?? true, "a number of tasks out of bounds")
            try hold(command.month.map { Month($0) != nil } ?? true, "a month that is none")
            try hold((command.format == .csv) == (command.month != nil), "a month in a form that lists the newest")
            try hold(command.before.map { TaskID($0) != nil } ?? true, "an id that is none")
        case let command as BenchDataCommand:
            try hold((1...100_000_000).contains(command.tasks), "a number of tasks out of bounds")
        case let command as BudgetCommand.Set:
            for limit in [command.month, command.day, command.total] {
                try hold(limit.map(credits.contains) ?? true, "a limit out of bounds")
            }
        case let command as ProjectCommand.Create:
            try hold(credits.contains(command.month) && Slug.isValid(command.project), "out of bounds")
        case let command as PriceCommand.Set:
            try hold((1...1_000_000_000).contains(command.credits), "a price out of bounds")
            try hold((command.when?.utf8.count ?? 0) <= 256, "a long condition")
        case let command as WalletCommand.Show:
            try hold(command.set.map(credits.contains) ?? true, "a balance out of bounds")
            try hold((command.by?.utf8.count ?? 0) <= 200, "a long name")
        case let command as WalletCommand.Create:
            try hold(Slug.isValid(command.slug) && command.keyVariable.utf8.count <= 128, "a wallet that is none")
        case let command as TaskCommand.Resolve:
            try hold(command.charged.map(credits.contains) ?? true, "a charge out of bounds")
            try hold(command.reason.utf8.count <= 1000 && command.by.utf8.count <= 200, "a long text")
        case let command as WorkerCommand:
            try hold((1...1024).contains(command.concurrency), "\(command.concurrency) at once")
            try hold((0.05...86_400).contains(command.lease), "a lease of \(command.lease)")
        case let command as SandboxCommand: try holdSandbox(command)
        case let command as SubmitCommand: try holdSubmit(command)
        default: break
        }
    }

    private static func holdSandbox(_ command: SandboxCommand) throws {
        do {
            let credits = try command.chosen().accounts.values.map(\.openingCredits)
            try hold(credits.allSatisfy((0...1_000_000_000_000).contains), "a balance out of bounds")
        } catch let finding as Finding {
            throw finding
        } catch {
            try holdSentence(UsageCommand.text(for: error))
        }
    }

    private static func holdSubmit(_ command: SubmitCommand) throws {
        try hold(command.project.map(Slug.isValid) ?? (command.file != nil), "a project that is none")
        // No input may choose which files of this machine are opened.
        guard command.file == nil, command.reference.isEmpty else { return }
        do {
            for draft in try command.drafts() { try draft.request.validate() }
        } catch {
            try holdSentence("\(error)", without: "rvya_sk_")
        }
    }
}
