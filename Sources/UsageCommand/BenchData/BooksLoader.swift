import Postgres

/// Writes invented books into an empty database, batch by batch; after each the books are right.
struct BooksLoader {
    let pool: ConnectionPool
    let company: InventedCompany
    private let walletID: Int64
    private let projectIDs: [Int64]
    private let priceIDs: [Int64]
    /// How many entries there are before the first day.
    let lastEntry: Int64

    /// Makes the projects, budgets and prices.
    ///
    /// - Throws: ``Mistake`` where the database holds books already.
    init(_ company: InventedCompany, wallet: String, in pool: ConnectionPool) async throws {
        self.pool = pool
        self.company = company
        let found = try await pool.query(
            """
            SELECT wallet_id, EXISTS (SELECT FROM wallet_balance WHERE last_entry_number > 0) AS is_used
            FROM wallet WHERE slug = $1::text
            """, wallet)
        guard let row = found.first else { throw Mistake("There is no wallet '\(wallet)'; see: usage wallet") }
        guard try !row.decode("is_used", as: Bool.self) else {
            throw Mistake("This database has entries already; invented books go into an empty one only.")
        }
        walletID = try row.decode("wallet_id")

        let beginning = Int64(company.firstDay) * InventedDay.length
        _ = try await pool.query(
            "SELECT make_partitions(timestamptz '2000-01-01 00:00Z' + $1::bigint * interval '1 microsecond', now())",
            beginning)
        let projects = company.projects
        let made = try await pool.query(
            """
            SELECT create_project($1, slug, credits, timestamptz '2000-01-01 00:00Z' + $2::bigint * interval '1 microsecond') AS id
            FROM (SELECT * FROM unnest($3::text[], $4::bigint[]) WITH ORDINALITY AS project (slug, credits, place)
                  ORDER BY place) AS project
            """, walletID, beginning, projects.map(\.slug), projects.map(\.monthLimit))
        projectIDs = try made.map { row throws(PostgresError) in try row.decode("id") }
        let limits = zip(projectIDs, projects).flatMap { id, project in
            [project.dayLimit.map { (id, "day", $0) }, project.totalLimit.map { (id, "total", $0) }].compactMap { $0 }
        }
        _ = try await pool.query(
            """
            SELECT set_budget($1, id, period, credits, timestamptz '2000-01-01 00:00Z' + $2::bigint * interval '1 microsecond')
            FROM unnest($3::bigint[], $4::text[], $5::bigint[]) AS budget (id, period, credits)
            """, walletID, beginning, limits.map(\.0), limits.map(\.1), limits.map(\.2))
        try await pool.execute(
            """
            INSERT INTO price (wallet_id, model, amount_credits, effective_from)
            SELECT $1, model, credits, '2000-01-01 00:00Z' FROM unnest($2::text[], $3::bigint[]) AS price (model, credits)
            ON CONFLICT DO NOTHING
            """, walletID, InventedModel.all.map(\.name), InventedModel.all.map(\.credits))
        let prices = try await pool.query(
            """
            SELECT price_id FROM unnest($2::text[]) WITH ORDINALITY AS used (model, place)
            JOIN price USING (model) WHERE wallet_id = $1 ORDER BY place
            """, walletID, InventedModel.all.map(\.name))
        priceIDs = try prices.map { row throws(PostgresError) in try row.decode("price_id") }
        let balance = try await pool.query(
            "SELECT last_entry_number FROM wallet_balance WHERE wallet_id = $1", walletID)
        lastEntry = try balance.first?.decode("last_entry_number") ?? 0
    }

    /// Adds some days in one transaction, with the totals as they then are.
    func add(_ days: [InventedDay], balance: InventedBooks.Balance) async throws(PostgresError) {
        try await pool.transaction(Self.options) { (transaction) throws(PostgresError) in
            // Every row is right by itself; nothing is gained by looking up each row's task once more.
            _ = try transaction.query(
                """
                SELECT CASE WHEN rolsuper THEN set_config('session_replication_role', 'replica', true) END,
                       set_config('enable_seqscan', 'off', true), set_config('jit', 'off', true)
                FROM pg_roles WHERE rolname = current_user
                """)
            let rows = DayRows(days, walletID: walletID, projectIDs: projectIDs, priceIDs: priceIDs)
            try rows.copy(into: transaction)
            try write(balance, in: transaction)
            guard let first = days.first, let last = days.last else { return }
            _ = try transaction.query(
                "SELECT seal_days($1, DATE '2000-01-01' + $2::int)", walletID, Int32(last.number - 1))
            try chain(
                from: first.start, to: last.start + InventedDay.length,
                before: first.firstEntry, in: transaction)
        }
    }

    /// Lets the planner know what there is.
    func analyze() async throws(PostgresError) {
        try await pool.transaction(Self.options) { (transaction) throws(PostgresError) in
            try transaction.executeScript(Statement("ANALYZE", name: "analyze"))
        }
    }

    private static let options = TransactionOptions(statementTimeout: .seconds(3600))

    private func write(_ balance: InventedBooks.Balance, in transaction: Transaction) throws(PostgresError) {
        try transaction.execute(
            """
            UPDATE wallet_balance
            SET last_entry_number = $2, reserved_credits = $3, charged_credits = $4, released_credits = $5, held_credits = $6,
                waiting_credits = $7, taken_credits = $8, returned_credits = $9, opening_credits = $10,
                unattributed_credits = $11, reading_credits = $12, reading_entry_number = $13, reading_seen_number = $13 - 1,
                reading_taken_credits = $14,
                read_at = timestamptz '2000-01-01 00:00Z' + $15::bigint * interval '1 microsecond', gate = NULL
            WHERE wallet_id = $1
            """,
            parameters: [
                walletID, balance.lastEntry, balance.reserved, balance.charged, balance.released, balance.held,
                balance.waiting, balance.taken, balance.returned, balance.opening, balance.unattributed,
                balance.reading?.credits, balance.reading?.entry, balance.reading?.taken, balance.reading?.at,
            ])
    }

    /// Adds the hashes of the new entries: the tasks' by the ids of the days, the others by their numbers.
    private func chain(
        from start: Int64, to end: Int64, before entry: Int64, in transaction: Transaction
    ) throws(PostgresError) {
        try transaction.execute(
            """
            INSERT INTO entry_link
            SELECT link.*
            FROM (SELECT min(entry_number) AS first, array_agg(line) AS lines
                  FROM (SELECT entry_number, line FROM entry
                        WHERE wallet_id = $1 AND task_id >= $2::text::uuid AND task_id < $3::text::uuid
                        UNION ALL
                        SELECT entry_number, line FROM entry
                        WHERE wallet_id = $1 AND task_id IS NULL AND entry_number >= $4::bigint
                        ORDER BY entry_number) AS entry) AS added,
                 entry_links($1, added.first, added.lines) AS link
            """, walletID, InventedID(leastAt: start).text, InventedID(leastAt: end).text, entry)
    }
}
