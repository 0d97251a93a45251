import Postgres

/// A task's life in the books, from its reservation to its settlement.
struct LifecycleBenchmark: Measurement {
    /// With nothing between them, as the aim has it.
    static let brief = LifecycleBenchmark(name: "reserve-settle", acts: "reserve and settle", isAccepted: false)
    /// With the acceptance between them, of a task that no worker has claimed.
    static let whole = LifecycleBenchmark(name: "lifecycle", acts: "reserve, accept and settle", isAccepted: true)

    let name: String
    private let acts: String
    private let isAccepted: Bool

    var summary: String { "\(acts) by 50 callers, beside the naive way with 50 clients and the ceiling" }

    /// What the rows of a task and its links of the chain take once it is settled.
    private static let bytes: Statement = """
        SELECT sum(pg_total_relation_size(oid))::bigint / greatest((SELECT count(*) FROM settlement), 1) FROM pg_class
        WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
            AND relname ~ '^(reservation|client_request|acceptance|settlement|entry_link)(_default|_\\d{4}_\\d\\d)?$'
        """

    func run(_ stage: Stage) async throws -> Report {
        let database = try await stage.server.database(name)
        let ours = try await OurBooks.make("ours", in: database)
        let naive = try await NaiveBooks.make(in: database)
        let script = try naive.lifecycle(clients: 50, accepted: isAccepted)
        let books = try await OurBooks.make("ceiling", in: database)
        let ceiling = try Ceiling(
            of: isAccepted ? [.reserve, .accept, .settle(leaseToken: 1)] : [.reserve, .settle(leaseToken: 0)], books)
        let series = try await stage.interleave([
            Stage.Part("ours") { round in
                let last = try await ours.lastEntry()
                let sample = try await Callers(count: 50) { _ in
                    try await ours.live(accepted: isAccepted)
                    return true
                }.run(seconds: round.seconds, on: stage.server)
                return try await sample.grouped(
                    ours.groupSize(of: ["reservation", "acceptance", "settlement"], since: last))
            },
            Stage.Part("naive") { try await naive.run(script, $0, settles: true) },
            // Acts of one kind in each transaction, as many as ours had of all kinds.
            Stage.Part("ceiling") { try await ceiling.run($0, batch: max(1, $0.samples[0].groupSize ?? 1)) },
        ])
        let bytes: Int64 = try await database.owner.query(Self.bytes)[0].decode(at: 0)
        let problems = try await naive.problems() + ours.problems() + books.problems() + database.verify()
        try await database.drop()
        return Report(
            series: series,
            figures: series.dropFirst().map { Figure(of: series[0], beside: $0) } + [
                Figure(name: "on disk, indexes included", value: Double(bytes), unit: "bytes a task")
            ],
            aims: [
                Aim(
                    "\(acts), 50 callers: at least 15 times naive", .ratio(series[0], to: series[1]), atLeast: 15)
            ], problems: problems)
    }
}
