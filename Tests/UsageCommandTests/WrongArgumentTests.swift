import ArgumentParser
import Foundation
import Postgres
import RivyaSandbox
import TestDatabase
import Testing
import UsageSQL

@testable import UsageCommand

/// The same numbers for the same seed, on every machine. Source: Steele, Lea and Flood 2014, SplitMix64.
private struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

@Suite(.database(migrations: UsageSQL.migrations)) struct `A wrong argument` {
    /// One that is the same in each run, and one that never was.
    static let seeds = [1, UInt64.random(in: .min ... .max)]

    @Test(arguments: seeds) func `is found before anything is opened, or at the latest by the contract`(seed: UInt64) {
        var random = SeededGenerator(state: seed)
        for number in 0..<1500 {
            let wrong = WrongArguments.make(number, using: &random)
            let place = Comment(rawValue: "seed \(seed): \(wrong)")
            let error = #expect(throws: (any Error).self, place) {
                let command = try UsageCommand.parseAsRoot(wrong.arguments)
                // What no parser can know is known to the model's contract, and to PostgreSQL: its time zones.
                if let submit = command as? SubmitCommand { _ = try submit.drafts() }
                if wrong.arguments.contains(where: { $0.hasPrefix("--time-zone") }) { throw Mistake("not a zone.") }
            }
            guard let error else { continue }
            let text = UsageCommand.text(for: error)
            #expect(UsageCommand.exitCode(for: error) != .success, place)
            #expect(text.hasPrefix("Error: "), place)
            #expect(text.split(separator: "\n").count <= 4 && text.utf8.count < 3000, "\(place): \(text)")
            #expect(!text.contains("rvya_sk_") && !text.unicodeScalars.contains("\u{1B}"), "\(place): \(text)")
        }
    }

    @Test func `given to the program gets one sentence, and nothing is held or sent`() async throws {
        let seed = UInt64.random(in: .min ... .max)
        try await World.with { world async throws in
            var random = SeededGenerator(state: seed)
            for number in 0..<(2 * WrongArguments.count) {
                let wrong = WrongArguments.make(number, using: &random)
                let outcome = try await world.usage.run(wrong.arguments)
                let place = Comment(rawValue: "seed \(seed): \(wrong): \(outcome.errors)")
                #expect([1, 64].contains(outcome.status), place)
                #expect(outcome.output == "", place)
                let lines = outcome.errors.split(separator: "\n")
                #expect(lines.first?.hasPrefix("Error: ") ?? false, place)
                #expect(outcome.status == 64 ? lines.count <= 4 : lines.count == 1, place)
                #expect(!outcome.errors.contains("rvya_sk_") && !outcome.errors.contains("Fatal error"), place)
                #expect(!outcome.errors.unicodeScalars.contains("\u{1B}"), place)
            }
            #expect(try await world.count("SELECT count(*) FROM reservation") == 0)
            #expect(try await world.count("SELECT count(*) FROM wallet_reading") == 0)
            #expect(try await world.count("SELECT count(*) FROM wallet") == 1)
            #expect(try await world.count("SELECT count(*) FROM project") == 1)
            #expect(try await world.count("SELECT count(*) FROM budget_change") == 1)
            #expect(await world.sandbox.books.report().tasks.isEmpty)
        }
    }

    @Test(
        arguments: [
            "postgresql://ann:se/cret@127.0.0.1:1/usage", "postgresql://ann:se@cret@127.0.0.1:1/usage",
            "postgresql://ann:12?host=secret@127.0.0.1:1/usage", "postgresql://ann:se cret@127.0.0.1:1/usage",
            "postgresql://ann:secret@127.0.0.1:port/usage",
            "host=127.0.0.1 port=1 password=se cret", "secret", "postgresql://ann:secret@[::1/usage",
            "postgresql://ann:secret@127.0.0.1:1/usage?colour=secret", "mysql://ann:secret@127.0.0.1/usage",
            "postgresql://ann:" + String(repeating: "secret", count: 2000) + "@127.0.0.1:1/usage",
        ]) func `in DATABASE_URL is told without a part of it`(_ url: String) async throws
    {
        let outcome = try await Program(environment: ["DATABASE_URL": url]).run("report")
        #expect(outcome.status == 1)
        #expect(outcome.output == "")
        #expect(outcome.errors.split(separator: "\n").count == 1, "\(outcome.errors)")
        #expect(!outcome.errors.contains("secret") && !outcome.errors.contains("cret@"), "\(outcome.errors)")
        #expect(!outcome.errors.contains("\"se\""), "\(outcome.errors)")
        #expect(outcome.errors.utf8.count < 400, "\(outcome.errors)")
    }
}
