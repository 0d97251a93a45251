/// Durable reservations from one process, beside the naive way and the most that the database gives.
struct ReserveBenchmark: Measurement {
    let name: String
    let summary: String
    let callers: Int
    let projects: Int
    /// How many clients the naive way has; more only make it slower.
    let naiveClients: Int
    let hasCeiling: Bool
    let aims: @Sendable (_ ours: Series, _ naive: Series, _ ceiling: Series?) -> [Aim]

    static let oneCaller = ReserveBenchmark(
        name: "reserve-1", summary: "one caller alone, beside naive with one client and the ceiling", callers: 1,
        projects: 1,
        naiveClients: 1, hasCeiling: true
    ) { ours, naive, _ in
        [Aim("reserve, one caller alone: no slower than naive with one client", Ratio(ours, to: naive), atLeast: 1)]
    }

    static let fiftyCallers = ReserveBenchmark(
        name: "reserve-50",
        summary: "50 callers, one wallet, one hot project, beside naive with 50 clients and the ceiling",
        callers: 50, projects: 1, naiveClients: 50, hasCeiling: true
    ) { ours, naive, ceiling in
        let (p99, naiveP99) = (ours.latency(0.99), naive.latency(0.99))
        return [
            Aim("reserve, 50 callers: at least 20 times naive", Ratio(ours, to: naive), atLeast: 20),
            ceiling.map {
                Aim("reserve, 50 callers: at least 0.5 times the ceiling", Ratio(ours, to: $0), atLeast: 0.5)
            },
            Aim(
                "reserve, 50 callers: p99 at most 5 ms, or half of naive's on a slow disk",
                figure: "\(p99.shown) ms, naive \(naiveP99.shown) ms", isReached: p99 <= 5 || p99 <= naiveP99 / 2),
        ].compactMap(\.self)
    }

    static let thousandCallers = ReserveBenchmark(
        name: "reserve-1000", summary: "1,000 callers, beside naive with 50 clients and the ceiling", callers: 1000,
        projects: 1,
        naiveClients: 50, hasCeiling: true
    ) { ours, naive, ceiling in
        [
            Aim("reserve, 1,000 callers: at least 50 times naive with 50 clients", Ratio(ours, to: naive), atLeast: 50),
            ceiling.map {
                Aim("reserve, 1,000 callers: at least 0.5 times the ceiling", Ratio(ours, to: $0), atLeast: 0.5)
            },
        ].compactMap(\.self)
    }

    static let thousandProjects = ReserveBenchmark(
        name: "reserve-projects", summary: "50 callers over 1,000 projects of one wallet, beside naive with 50 clients",
        callers: 50, projects: 1000, naiveClients: 50, hasCeiling: false
    ) { ours, naive, _ in
        [Aim("reserve, 50 callers over 1,000 projects: at least 15 times naive", Ratio(ours, to: naive), atLeast: 15)]
    }

    func run(_ stage: Stage) async throws -> Report {
        let database = try await stage.server.database(name)
        let ours = try await OurBooks.make("ours", projects: projects, in: database)
        let naive = try await NaiveBooks.make(projects: projects, in: database)
        let script = try naive.reserve(clients: naiveClients)
        var parts = [
            Stage.Part("ours") { try await ours.reserve(callers: callers, $0) },
            Stage.Part("naive") { try await naive.run(script, $0) },
        ]
        var wallets = [ours]
        if hasCeiling {
            let books = try await OurBooks.make("ceiling", in: database)
            let ceiling = try Ceiling(books)
            wallets.append(books)
            parts.append(
                Stage.Part("ceiling") { try await ceiling.run($0, batch: max(1, $0.samples[0].groupSize ?? 1)) })
        }
        let series = try await stage.interleave(parts)
        var problems = try await naive.problems() + database.verify()
        for wallet in wallets { problems += try await wallet.problems() }
        try await database.drop()
        let ceiling = series.count > 2 ? series[2] : nil
        return Report(
            series: series, figures: ceiling.map { [Figure(of: series[0], beside: $0)] } ?? [],
            aims: aims(series[0], series[1], ceiling), problems: problems)
    }
}
