import Postgres

/// The most that the database gives at a batch size: our own statement with equal content, from pgbench clients that
/// route no answers.
///
/// All arrays but the ids are constants. Making the ids is measured apart and taken off.
struct Ceiling: Sendable {
    let books: OurBooks
    private let reserve: Pgbench
    private let idsAlone: Pgbench

    init(_ books: OurBooks, clients: Int = 1) throws {
        self.books = books
        let wallet = books.ledger.wallet.id
        reserve = try Pgbench(
            """
            \\set turn :turn + 1
            SELECT answer.place, outcome, task_id, amount_credits, decided_at, reasons
            FROM (\(Self.ids)) AS made, reserve(\(wallet)::bigint, ARRAY['\(books.projects[0])'], ARRAY['\(OurBooks.model)'],
                ARRAY['{"aspect_ratio":"16:9","duration":"5"}'::jsonb],
                array_fill(1, ARRAY[:batch::int]), array_fill(1, ARRAY[:batch::int]), made.uuids, made.texts,
                array_fill(sha256('\(String(decoding: OurBooks.body, as: UTF8.self))'), ARRAY[:batch::int]),
                array_fill('\(String(decoding: OurBooks.body, as: UTF8.self))'::bytea, ARRAY[:batch::int]),
                array_fill(now(), ARRAY[:batch::int])) AS answer
            ORDER BY answer.place;

            """, clients: clients, on: books.database)
        idsAlone = try Pgbench(
            "\\set turn :turn + 1\nSELECT cardinality(uuids), cardinality(texts) FROM (\(Self.ids)) AS made;\n",
            clients: clients, on: books.database)
    }

    /// Rising as those of version 7 are, and each once: the turn counts on from what the caller gives, in seven digits, for
    /// each client apart.
    private static let ids = """
        SELECT array_agg(text::uuid) AS uuids, array_agg(text) AS texts
        FROM (SELECT '01990000-' || left(turn, 4) || '-7000-8' || right(turn, 3) || '-' || to_char(n, 'FM000000000000') AS text
              FROM lpad(to_hex(:turn::int + :client_id * 400000), 7, '0') AS turn, generate_series(1, :batch::int) AS n) AS made
        """

    /// One round; the turns of each must not overlap.
    func run(_ round: Stage.Round, batch: Int) async throws -> Sample {
        let variables = ["batch": batch, "turn": round.number * 2_000_000]
        var sample = try await reserve.run(seconds: round.seconds, variables: variables, operationsEach: batch)
        books.count(reserved: sample.operations)
        let making = try await idsAlone.run(seconds: 1, variables: variables)
        let share = making.seconds / Double(making.operations) * Double(sample.operations / batch)
        sample.seconds -= min(share, sample.seconds / 2)
        sample.groupSize = batch
        return sample
    }
}
