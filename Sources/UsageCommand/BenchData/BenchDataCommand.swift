import ArgumentParser
import Postgres

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

struct BenchDataCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench-data", abstract: "Fill an empty database with years of invented books, to measure with.",
        discussion: """
            The books are right: usage verify proves them, and every report adds up. They end now, with tasks under way. The \
            same seed at the same time gives the same books, but for what the database stamps.

            EXAMPLE: a million tasks over two years, in books of their own
              USAGE_HOME=/tmp/books usage bench-data --tasks 1000000
              USAGE_HOME=/tmp/books usage report
            """,
        shouldDisplay: false)

    @Option(help: ArgumentHelp("How many tasks, 1 to 100000000.", valueName: "number"))
    var tasks: Int

    @Option(help: ArgumentHelp("Over how many months, this one among them, 1 to 120.", valueName: "number"))
    var months = 24

    @Option(help: ArgumentHelp("How many projects share the wallet, 1 to 10000.", valueName: "number"))
    var projects = 500

    @Option(help: ArgumentHelp("What the draws begin with.", valueName: "number"))
    var seed = 1

    @OptionGroup var wallet: WalletOption

    /// How many tasks a transaction adds: enough to make its own cost small, few enough to stay in memory.
    private static let tasksOfBatch = 20_000

    func validate() throws {
        for (name, value, range) in [
            ("--tasks", tasks, 1...100_000_000), ("--months", months, 1...120), ("--projects", projects, 1...10_000),
        ] where !range.contains(value) {
            throw ValidationError(
                "'\(value)' is not a number for \(name); write one from \(range.lowerBound) to \(range.upperBound).")
        }
    }

    func run() async throws {
        // Microseconds since 2000-01-01 00:00 UTC, as PostgreSQL counts.
        let now = Int64((SystemClock.now.timeIntervalSince1970 - 946_684_800) * 1_000_000)
        let company = InventedCompany(tasks: tasks, months: months, projects: projects, now: now)
        try await Books.open(as: nil, connections: 1) { books in
            let loader = try await BooksLoader(company, wallet: wallet.wallet, in: books.pool)
            var invented = InventedBooks(company, lastEntry: loader.lastEntry, seed: seed)
            let bar = ProgressBar("inventing days", total: company.tasksOfDays.count)
            var days = invented.nextDays(tasks: Self.tasksOfBatch)
            while !days.isEmpty {
                // The next days are told while these are written.
                let (told, balance) = (days, invented.balance)
                async let added: Void = loader.add(told, balance: balance)
                days = invented.nextDays(tasks: Self.tasksOfBatch)
                try await added
                for _ in told { bar.advance() }
            }
            try await loader.analyze()
            Terminal.note("\(tasks) tasks over \(months) months; prove them with: usage verify")
        }
    }
}
