import Foundation

/// PostgreSQL's own client for measuring, with prepared statements.
struct Pgbench: Sendable {
    let database: BenchmarkDatabase
    let clients: Int
    private let script: String
    private let folder: ScratchFolder

    init(_ script: String, clients: Int, on database: BenchmarkDatabase) throws {
        folder = try ScratchFolder()
        self.script = try folder.write(script, to: "script.sql")
        self.clients = clients
        self.database = database
    }

    /// Runs the script over and over; each run of it stands for so many operations.
    ///
    /// - Parameter variables: Values for `:name` in the script.
    /// - Parameter turns: How often each client runs it, however long that takes; without it for as long as is said.
    func run(
        seconds: Int, variables: [String: Int] = [:], turns: Int? = nil, operationsEach: Int = 1
    ) async throws -> Sample {
        let arguments = [
            "--no-vacuum", "--protocol=prepared", "--client=\(clients)", "--jobs=\(min(clients, 2))",
            turns.map { "--transactions=\($0)" } ?? "--time=\(seconds)", "--file=\(script)", "--log",
            "--log-prefix=\(folder.file("log"))",
        ]
        let (outcome, use) = try await database.server.watch(seconds: seconds) {
            try await Program.run(
                database.server.program("pgbench"),
                arguments + variables.map { "--define=\($0)=\($1)" } + [database.url], in: folder)
        }
        let output = outcome.output
        let latencies = try takeLatencies()
        guard let perSecond = Self.number(after: "tps = ", in: output), !latencies.isEmpty,
            Self.number(after: "number of failed transactions: ", in: output) ?? 0 == 0
        else { throw Mistake("pgbench printed something else than its figures: \(output.suffix(1000))") }
        return Sample(
            operations: latencies.count * operationsEach, seconds: Double(latencies.count) / perSecond,
            latencies: latencies.sorted(), clientCPUSeconds: outcome.cpuSeconds, clientPeakBytes: outcome.peakBytes
        ).served(use)
    }

    /// Reads the third column of the logs, a transaction's time in microseconds, and removes them.
    private func takeLatencies() throws -> [Int64] {
        var latencies: [Int64] = []
        for name in try FileManager.default.contentsOfDirectory(atPath: folder.path) where name.hasPrefix("log.") {
            let text = try Data(contentsOf: URL(filePath: folder.file(name)))
            for line in text.split(separator: UInt8(ascii: "\n")) {
                let fields = line.split(separator: UInt8(ascii: " "), maxSplits: 3)
                guard fields.count > 2, let microseconds = Int64(String(decoding: fields[2], as: UTF8.self)) else {
                    throw Mistake("pgbench's log has a line that cannot be read.")
                }
                latencies.append(microseconds * 1000)
            }
            try FileManager.default.removeItem(atPath: folder.file(name))
        }
        return latencies
    }

    private static func number(after words: String, in text: String) -> Double? {
        text.firstRange(of: words).flatMap { Double(text[$0.upperBound...].prefix { $0.isNumber || $0 == "." }) }
    }
}
