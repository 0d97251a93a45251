import Foundation
import Testing

@Suite(.serialized) struct `A storm` {
    /// Between them they bring every kind of kill and fault.
    static let seeds: [UInt64] = [1, 2, 3, 4]

    @Test func `of each fixed seed, and of a random one, leaves three accounts that agree to the credit`() async throws
    {
        let random = UInt64.random(in: 1...UInt64(UInt32.max))
        print("storm: the random seed is \(random)")
        let fixed = try await Storm.run(seeds: Self.seeds)
        for storm in try await fixed + Storm.run(seeds: [random]) {
            #expect(storm.status == 0, "seed \(storm.seed):\n\(storm.output)\n\(storm.errors)")
            #expect(storm.output.hasSuffix("\ndifferences: 0\n"))
            #expect(storm.count("tasks") > 30, "seed \(storm.seed) did hardly anything")
        }
        // A storm that harms nothing would prove nothing.
        // Which request meets which fault is a matter of time, so on a busy machine some kinds may miss.
        let missing = Storm.kinds.filter { kind in !fixed.contains { $0.count(kind) > 0 } }
        #expect(missing.count <= 5, "no storm had: \(missing)")
        #expect(missing.allSatisfy { !["worker", "submitter"].contains($0) })
    }

    @Test func `does the same for the same seed, and something else for another`() async throws {
        let (first, again, other) = (
            try await Storm.outcome("--seed", "7", "--seconds", "60", "--plan"),
            try await Storm.outcome("--seed", "7", "--seconds", "60", "--plan"),
            try await Storm.outcome("--seed", "8", "--seconds", "60", "--plan")
        )
        #expect(first.output.split(separator: "\n").count > 60)
        #expect(first.output == again.output)
        #expect(first.output != other.output)
    }

    @Test(arguments: [("ours", "the charge"), ("provider", "the reading"), ("answer", "an answer's request")])
    func `finds a wrong in one of the books, and says where`(books: String, rule: String) async throws {
        let storm = try await Storm.outcome("--seed", "4", "--seconds", "8", "--tamper", books)
        #expect(storm.status == 1, "\(storm.errors)")
        #expect(storm.output.contains("difference: \(rule): "))
        #expect(storm.output.contains("to repeat it: storm --seed 4 "))
        #expect(storm.output.split(separator: "\n").last?.hasPrefix("differences: ") == true)
        #expect(!storm.output.hasSuffix("\ndifferences: 0\n"))
    }
}

/// The real `storm`, which starts everything else.
private struct Storm: Sendable {
    let seed: UInt64
    let status: Int32
    let output: String
    let errors: String

    static let kinds = [
        "worker", "submitter", "PostgreSQL, kill -9", "PostgreSQL, immediate stop", "worker frozen", "clock jump",
        "database: cut up", "database: cut down", "database: delayed", "database: refused",
        "provider: cut up", "provider: cut down", "provider: delayed", "provider: held back",
        "provider: answer doubled", "provider: answer replaced by garbage", "provider: create answers held back",
        "provider: Studio spends", "provider: topped up",
    ]

    /// Runs one storm for each seed, two at a time.
    static func run(seeds: [UInt64]) async throws -> [Storm] {
        try await withThrowingTaskGroup(of: Storm.self) { group in
            var rest = seeds[...]
            var storms: [Storm] = []
            func start() {
                guard let seed = rest.popFirst() else { return }
                group.addTask {
                    let outcome = try await outcome("--seed", "\(seed)", "--seconds", "16")
                    return Storm(seed: seed, status: outcome.status, output: outcome.output, errors: outcome.errors)
                }
            }
            start()
            start()
            while let storm = try await group.next() {
                storms.append(storm)
                start()
            }
            return storms
        }
    }

    static func outcome(_ arguments: String...) async throws -> Program.Outcome {
        let process = Process()
        process.executableURL = URL(filePath: Program.path).deletingLastPathComponent().appending(path: "storm")
        process.arguments = arguments
        process.standardInput = FileHandle.nullDevice
        let running = try RunningProgram(process)
        return try await withThrowingTaskGroup(of: Program.Outcome?.self) { group in
            group.addTask { await running.outcome() }
            group.addTask {
                try await Task.sleep(for: .seconds(900))
                return nil
            }
            let first = try await group.next() ?? nil
            if first == nil { running.terminate() }
            group.cancelAll()
            return try #require(first, "storm \(arguments.joined(separator: " ")) did not end in time")
        }
    }

    /// A figure of the summary.
    func count(_ name: String) -> Int {
        for line in output.split(separator: "\n") {
            let parts = line.split(separator: "\t")
            if parts.count == 2, parts[0].drop(while: { $0 == " " }) == name { return Int(parts[1]) ?? 0 }
        }
        return 0
    }
}
