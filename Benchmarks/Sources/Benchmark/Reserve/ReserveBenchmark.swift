/// Durable reservations from one process, beside the naive way and the most that the database gives.
struct ReserveBenchmark: Measurement {
    let name: String
    let summary: String
    let callers: Int
    var projects = 1
    /// How many clients the naive way has; more only make it slower.
    var naiveClients = 50
    /// Whether the naive way in one round trip is measured too.
    var hasOneCall = false
    let aims: @Sendable (_ ours: Series, _ naive: Series, _ ceiling: Series) -> [Aim]

    static let oneCaller = ReserveBenchmark(
        name: "reserve-1", summary: "one caller alone, beside naive with one client and the ceiling", callers: 1,
        naiveClients: 1, hasOneCall: true
    ) { ours, naive, _ in
        [Aim("reserve, one caller alone: no slower than naive with one client", .ratio(ours, to: naive), atLeast: 1)]
    }

    static let fiftyCallers = ReserveBenchmark(
        name: "reserve-50",
        summary: "50 callers, one wallet, one hot project, beside naive with 50 clients and the ceiling",
        callers: 50, hasOneCall: true
    ) { ours, naive, ceiling in
        let (p99, naiveP99) = (ours.latency(0.99), naive.latency(0.99))
        return [
            Aim("reserve, 50 callers: at least 20 times naive", .ratio(ours, to: naive), atLeast: 20),
            Aim("reserve, 50 callers: at least 0.5 times the ceiling", .ratio(ours, to: ceiling), atLeast: 0.5),
            Aim(
                "reserve, 50 callers: p99 at most 5 ms, or half of naive's on a slow disk", p99, "ms",
                figure: "\(p99.text) ms, naive \(naiveP99.text) ms"
            ) { $0 <= 5 || $0 <= naiveP99.median / 2 },
        ]
    }

    static let thousandCallers = ReserveBenchmark(
        name: "reserve-1000", summary: "1,000 callers, beside naive with 50 clients and the ceiling", callers: 1000
    ) { ours, naive, ceiling in
        [
            Aim(
                "reserve, 1,000 callers: at least 50 times naive with 50 clients", .ratio(ours, to: naive), atLeast: 50),
            Aim("reserve, 1,000 callers: at least 0.5 times the ceiling", .ratio(ours, to: ceiling), atLeast: 0.5),
        ]
    }

    static let thousandProjects = ReserveBenchmark(
        name: "reserve-projects",
        summary: "50 callers over 1,000 projects of one wallet, beside naive with 50 clients and the ceiling",
        callers: 50, projects: 1000
    ) { ours, naive, _ in
        [Aim("reserve, 50 callers over 1,000 projects: at least 15 times naive", .ratio(ours, to: naive), atLeast: 15)]
    }

    func run(_ stage: Stage) async throws -> Report {
        let database = try await stage.server.database(name)
        let ours = try await OurBooks.make("ours", projects: projects, in: database)
        let naive = try await NaiveBooks.make(projects: projects, in: database)
        let script = try naive.reserve(clients: naiveClients)
        let books = try await OurBooks.make("ceiling", projects: projects, in: database)
        let ceiling = try Ceiling(of: [.reserve], books)
        var parts = [
            Stage.Part("ours") { try await ours.reserve(callers: callers, $0) },
            Stage.Part("naive") { try await naive.run(script, $0) },
            Stage.Part("ceiling") { try await ceiling.run($0, batch: max(1, $0.samples[0].groupSize ?? 1)) },
        ]
        if hasOneCall {
            let oneCall = try naive.reserveInOneCall(clients: naiveClients)
            parts.append(Stage.Part("naive, one call") { try await naive.run(oneCall, $0) })
        }
        let series = try await stage.interleave(parts)
        let problems = try await naive.problems() + database.verify() + ours.problems() + books.problems()
        try await database.drop()
        return Report(
            series: series, figures: series.dropFirst().map { Figure(of: series[0], beside: $0) },
            aims: aims(series[0], series[1], series[2]), problems: problems)
    }
}
