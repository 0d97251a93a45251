/// Several wallets in one process: each has groups of its own, written beside those of the others.
struct WalletsBenchmark: Measurement {
    let name = "reserve-wallets"
    let summary = "50 callers in all on 4 wallets of one process, beside 50 on one wallet"

    private static let wallets = 4

    func run(_ stage: Stage) async throws -> Report {
        let database = try await stage.server.database(name)
        let one = try await OurBooks.make("one", in: database)
        let pool = database.pool(role: "usage_service")
        var several: [OurBooks] = []
        for number in 1...Self.wallets {
            several.append(try await OurBooks.make("wallet-\(number)", in: database, through: pool))
        }
        let wallets = several
        let series = try await stage.interleave([
            Stage.Part("\(Self.wallets) wallets") { try await reserve(wallets, $0) },
            Stage.Part("one wallet") { try await one.reserve(callers: 50, $0) },
        ])
        var problems = try await database.verify()
        for books in wallets + [one] { problems += try await books.problems() }
        try await database.drop()
        return Report(series: series, figures: [Figure(of: series[0], beside: series[1])], problems: problems)
    }

    private func reserve(_ wallets: [OurBooks], _ round: Stage.Round) async throws -> Sample {
        var last: [Int64] = []
        for books in wallets { last.append(try await books.lastEntry()) }
        let sample = try await Callers(count: 50) { caller in
            try await wallets[caller % wallets.count].reserve()
            return true
        }.run(seconds: round.seconds, on: wallets[0].database.server)
        var sizes: [Double] = []
        for (books, last) in zip(wallets, last) { sizes.append(Double(try await books.groupSize(since: last))) }
        return sample.grouped(Int(sizes.median.rounded()))
    }
}
