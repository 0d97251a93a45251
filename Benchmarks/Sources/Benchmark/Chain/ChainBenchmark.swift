import Postgres

/// What the hash chain costs a reservation.
struct ChainBenchmark: Measurement {
    let name = "chain"
    let summary = "50 callers reserve with and without the hash chain"

    func run(_ stage: Stage) async throws -> Report {
        let chained = try await stage.server.database("chain")
        let unchained = try await stage.server.database("chain-without")
        let with = try await OurBooks.make("with", in: chained)
        let without = try await OurBooks.make("without", in: unchained)
        let before = try await switchOff(in: unchained)
        let series = try await stage.interleave([
            Stage.Part("with the chain") { try await with.reserve(callers: 50, $0) },
            Stage.Part("without") { try await without.reserve(callers: 50, $0) },
        ])
        var problems = try await with.problems() + without.problems() + chained.verify()
        problems += try await unchained.verify(except: ["entry_hash", "entry_number"])
        if try await hashes(in: unchained) != before {
            problems.append("the chain was not switched off: the figures compare it with itself")
        }
        try await chained.drop()
        try await unchained.drop()
        let ratio = Spread.ratio(series[0], to: series[1])
        return Report(
            series: series,
            aims: [
                Aim(
                    "hash chain: at most 15 % of the reserve throughput",
                    Spread(byRound: ratio.byRound.map { (1 - $0) * 100 }), "%", atMost: 15)
            ], problems: problems)
    }

    /// Makes new entries go without a line and a hash.
    private func switchOff(in database: BenchmarkDatabase) async throws -> Int64 {
        try await database.owner.execute(
            """
            CREATE OR REPLACE FUNCTION reservation_line(
                wallet_id bigint, entry_number bigint, task_id uuid, project_id bigint, model json, price_id bigint,
                amount_credits bigint, wallet_held_credits bigint, day json, reserved_at json, recorded_at json
            ) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN ''
            """)
        try await database.owner.execute(
            """
            CREATE OR REPLACE FUNCTION entry_links(p_wallet_id bigint, p_first_entry_number bigint, p_lines text[])
            RETURNS TABLE (wallet_id bigint, first_entry_number bigint, last_entry_number bigint, hashes bytea)
            LANGUAGE sql STABLE AS 'SELECT NULL::bigint, NULL::bigint, NULL::bigint, NULL::bytea WHERE false'
            """)
        return try await hashes(in: database)
    }

    private func hashes(in database: BenchmarkDatabase) async throws -> Int64 {
        try await database.owner.query("SELECT count(*) FROM entry_hash")[0].decode(at: 0)
    }
}
