import Accounting
import ArgumentParser
import Foundation
import Ledger

/// Callers of one of several processes; prints what they did as JSON.
struct CallersCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "callers", abstract: "Callers of one of several processes.", shouldDisplay: false)

    @Option var url: String
    @Option var wallet: String
    @Option var project: String
    @Option var callers: Int
    /// Seconds since 1970.
    @Option var startAt: Double
    @Option var seconds: Int
    /// Ask until one is refused, which is a mistake otherwise.
    @Flag var untilRefused = false

    /// What is printed.
    struct Answer: Codable, Sendable {
        let reserved: Int
        let refused: Int
        let sample: Sample
    }

    func run() async throws {
        let pool = BenchmarkDatabase.pool(url: url, role: "usage_service")
        let ledger = Ledger(wallet: try await Wallet.named(wallet, in: pool), pool: pool)
        let count = ReservedCount()
        let reserve: @Sendable (Int) async throws -> Bool = { _ in
            guard count.refused.load(ordering: .relaxed) == 0 else { return false }
            switch try await ledger.reserve(OurBooks.submission(project)) {
            case .reserved: count.reserved.add(1, ordering: .relaxed)
            case .refused:
                guard untilRefused else { throw Mistake("A request that fits was refused.") }
                count.refused.add(1, ordering: .relaxed)
            }
            return true
        }
        // Connects, and prepares the statement.
        _ = try await reserve(0)
        try await Task.sleep(for: .seconds(max(0, startAt - Date().timeIntervalSince1970)))
        let sample = try await Callers(count: callers, act: reserve)
            .run(until: .now + .seconds(startAt + Double(seconds) - Date().timeIntervalSince1970))
        await pool.close()
        let answer = Answer(
            reserved: count.reserved.load(ordering: .relaxed), refused: count.refused.load(ordering: .relaxed),
            sample: sample)
        print(String(decoding: try JSONEncoder().encode(answer), as: UTF8.self))
    }
}
