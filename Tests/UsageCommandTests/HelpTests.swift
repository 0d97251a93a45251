import Foundation
import Testing

@Suite struct `The help` {
    static let commands: [[String]] = [
        [], ["submit"], ["tasks"], ["task"], ["task", "show"], ["task", "resolve"], ["worker"], ["report"], ["project"],
        ["project", "create"], ["project", "list"], ["budget"], ["budget", "set"], ["budget", "show"], ["price"],
        ["price", "set"],
        ["price", "list"], ["wallet"], ["wallet", "show"], ["wallet", "create"], ["verify"], ["export"], ["migrate"],
        ["postgres"],
        ["postgres", "start"], ["postgres", "stop"], ["postgres", "status"], ["sandbox"], ["demo"],
    ]

    @Test(arguments: commands) func `of every command has an example and needs no database`(_ command: [String])
        async throws
    {
        let usage = Program(environment: ["DATABASE_URL": "postgresql://127.0.0.1:1/none"])
        let outcome = try await usage.run(command + ["--help"])
        #expect(outcome.status == 0)
        #expect(outcome.output.contains("EXAMPLE"))
    }

    @Test func `names every command there is`() async throws {
        let usage = Program(environment: [:])
        let help = try await usage.run("--help").output
        let named = help.split(separator: "SUBCOMMANDS:").last.map { $0.split(separator: "\n") } ?? []
        let commands = named.filter { $0.hasPrefix("  ") && !$0.hasPrefix("   ") && !$0.hasPrefix("  See") }.compactMap
        { $0.split(separator: " ").first }
        #expect(Set(commands.map(String.init)) == Set(Self.commands.compactMap(\.first)))
    }

    @Test(arguments: ["bash", "zsh", "fish"]) func `makes completions for a shell`(_ shell: String) async throws {
        let outcome = try await Program(environment: [:]).run("--generate-completion-script", shell)
        #expect(outcome.status == 0)
        #expect(outcome.output.contains("report"))
    }
}
