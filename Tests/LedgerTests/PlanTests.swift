import Accounting
import Foundation
import Ledger
import Postgres
import TestDatabase
import Testing
import UsageSQL

/// What is done with the ten tasks of a wallet, `$1`, that stand in the table `few`: how many rows it answers with.
struct UseOfTen: CustomTestStringConvertible {
    let testDescription: String
    let sql: Statement
    var rows: Int64 = 10

    private static let tasks = "(SELECT array_agg(task_id ORDER BY task_id) FROM few)"

    private static func ten(_ value: String) -> String { "array_fill(\(value), ARRAY[10])" }

    static let claim = UseOfTen(
        testDescription: "claim",
        sql: "SELECT count(*) FROM claim($1, now(), 10, now() + interval '1 minute', '{}')")

    static let nextDue = UseOfTen(
        testDescription: "next due", sql: "SELECT count(*) FROM next_due($1) WHERE is_unfinished", rows: 1)

    static let extendLeases = UseOfTen(
        testDescription: "extend leases",
        sql: Statement("SELECT count(*) FROM extend_leases($1, \(tasks), \(ten("1::bigint")), now())"))

    static let giveBack = UseOfTen(
        testDescription: "give back",
        sql: Statement(
            "SELECT count(schedule($1, \(tasks), \(ten("1::bigint")), \(ten("'queued'::text")), \(ten("now()")), \(ten("false"))))"
        ), rows: 1)

    /// Asks for ten more, of each project one.
    static let reserve = UseOfTen(
        testDescription: "reserve",
        sql: Statement(
            """
            SELECT cardinality(array_positions(outcomes, 'reserved'))
            FROM (SELECT array_agg(slug) AS slugs FROM project) AS projects,
                 (SELECT array_agg(n) AS numbers, array_agg(overlay(gen_random_uuid()::text PLACING left(task_id::text, 13) FROM 1)) AS ids
                  FROM (SELECT task_id, row_number() OVER (ORDER BY task_id)::integer AS n FROM few) AS numbered) AS asked,
                 LATERAL reserve($1, slugs, '{kling-v2-5-turbo-pro}', ARRAY['{}'::jsonb], numbers, \(ten("1")), ids::uuid[], ids,
                                 \(ten("sha256('{}')")), \(ten("'{}'::bytea")), \(ten("timestamptz '2026-05-12 10:00Z'")))
            """))

    static func accept(reserved: Int64) -> UseOfTen {
        UseOfTen(
            testDescription: "accept with \(reserved) credits",
            sql: Statement(
                """
                SELECT cardinality(array_positions(accept($1, \(tasks), (SELECT array_agg('vid_' || task_id) FROM few),
                    \(ten("\(reserved)::bigint")), \(ten("now()")), \(ten("now()"))), 'accepted'))
                """))
    }

    static func settle(_ description: String, expecting outcome: String = "settled", recheck: String = "NULL")
        -> UseOfTen
    {
        UseOfTen(
            testDescription: description,
            sql: Statement(
                """
                SELECT cardinality(array_positions(settle($1, \(tasks), \(ten("1::bigint")), \(ten("'succeeded'::text")), \(ten("42::bigint")),
                    \(ten("NULL::text")), \(ten("NULL::jsonb")), \(ten("NULL::text")), \(ten("NULL::text")), \(ten("now()")),
                    \(ten("\(recheck)::timestamptz"))), '\(outcome)'))
                """))
    }

    static let recordErrors = UseOfTen(
        testDescription: "record errors",
        sql: Statement(
            """
            SELECT count(record_errors($1, \(tasks), \(ten("'status'::text")), \(ten("1")), \(ten("'timeout'::text")), \(ten("500")),
                \(ten("'r-1'::text")), \(ten("'no'::text")), \(ten("now()"))))
            """), rows: 1)

    /// Does it, and returns how many rows of some tables it has read by an index.
    func read(_ tables: [String], in owner: ConnectionPool, wallet: Int64) async throws -> Int64 {
        let (rows, read) = try await owner.transaction { (transaction) throws(PostgresError) in
            let before = try rowsRead(tables, transaction)
            let answer = try transaction.query(sql, wallet)
            return (try answer[0].decode(at: 0, as: Int64.self), try rowsRead(tables, transaction) - before)
        }
        #expect(rows == self.rows)
        return read
    }
}

/// How many rows of some tables a transaction has read by an index, and those before it that the server has not counted yet.
private func rowsRead(_ tables: [String], _ transaction: Transaction) throws(PostgresError) -> Int64 {
    try transaction.query(
        "SELECT coalesce(sum(idx_tup_fetch), 0)::bigint FROM pg_stat_xact_user_tables WHERE relname = ANY ($1::text[])",
        tables)[0]
        .decode(at: 0)
}

@Suite(.books) struct `The queue` {
    static let uses: [UseOfTen] = [
        .claim, .extendLeases, .giveBack, .accept(reserved: 42), .settle("settle"),
        .settle("settle and ask once more", recheck: "now()"),
    ]

    /// A queue that was nearly empty when it was vacuumed, and could not be cut short, counts as empty however it fills up.
    private func fill(_ owner: ConnectionPool) async throws {
        try await owner.execute(
            """
            INSERT INTO task_work (wallet_id, task_id, state, due_at, project_id, model, day, amount_credits)
            SELECT wallet_id, gen_random_uuid(), 'queued', now() + interval '1 day', project_id, model, day, amount_credits
            FROM (SELECT * FROM task_work LIMIT 1) AS one, generate_series(1, 5000)
            """)
        try await owner.execute(
            """
            UPDATE pg_class SET reltuples = 0, relpages = greatest(relpages, 100)
            WHERE oid IN (SELECT indexrelid FROM pg_index WHERE indrelid = 'task_work'::regclass UNION SELECT 'task_work'::regclass)
            """)
    }

    @Test(arguments: uses)
    func `is read by its key, though the statistics say that it is empty`(use: UseOfTen) async throws {
        let ledger = try await Ledger.sample(month: 420)
        for place in 0..<10 { _ = try await ledger.hold(.sample(at: .sample + Double(place))) }
        let owner = TestDatabase.current.pool(maximumConnections: 1)
        try await owner.execute(
            "SELECT leave_groups(wallet_id, task_ids), queue_again(wallet_id, task_ids) FROM queued_group")
        try await owner.execute("CREATE TABLE few AS SELECT task_id FROM task_work")
        try await owner.execute(
            "UPDATE task_work SET leased = true, lease_token = 1, state = 'sending', first_sent_at = now()")
        try await fill(owner)
        let read = try await use.read(["task_work"], in: owner, wallet: ledger.wallet.id)
        #expect(read >= 10 && read <= 50)
    }

    @Test(arguments: [UseOfTen.claim, .nextDue, .accept(reserved: 42), .settle("settle", expecting: "fenced")])
    func `is read by its key before anybody took a task, though the statistics say that it is empty`(
        use: UseOfTen
    ) async throws {
        let ledger = try await Ledger.sample(month: 420)
        for place in 0..<10 { _ = try await ledger.hold(.sample(at: .sample + Double(place))) }
        let owner = TestDatabase.current.pool(maximumConnections: 1)
        try await owner.execute("CREATE TABLE few AS SELECT unnest(task_ids) AS task_id FROM queued_group")
        try await owner.execute(
            """
            INSERT INTO queued_group
            SELECT wallet_id, 1000 + number, now() + interval '1 day', ARRAY[gen_random_uuid()]
            FROM wallet, generate_series(1, 5000) AS number
            """)
        try await owner.execute(
            """
            UPDATE pg_class SET reltuples = 0, relpages = greatest(relpages, 100)
            WHERE oid IN (SELECT indexrelid FROM pg_index WHERE indrelid = 'queued_group'::regclass UNION SELECT 'queued_group'::regclass)
            """)
        let read = try await use.read(["queued_group"], in: owner, wallet: ledger.wallet.id)
        #expect(read >= 1 && read <= 50)
    }

    /// Also by plans that a session keeps.
    @Test func `is read by its key to store a request, and for its states`() async throws {
        let ledger = try await Ledger.sample()
        let task = try await ledger.hold(.sample(body: nil))
        let owner = TestDatabase.current.pool(maximumConnections: 1)
        try await fill(owner)
        let wallet = ledger.wallet.id
        let read = try await owner.transaction { (transaction) throws(PostgresError) in
            try transaction.execute("SET LOCAL plan_cache_mode = force_generic_plan")
            let stored = try transaction.query(Query.storeRequest, wallet, task.uuid, Array("{}".utf8), Date.sample)
            let states = try transaction.query(Query.taskStates, wallet, [task.uuid])
            guard stored.count == 1, try states[0].decode("state") == "queued" else { return Int64.max }
            return try rowsRead(["task_work"], transaction)
        }
        #expect(read >= 2 && read <= 10)
    }

    @Test func `is written where a row lies after it was moved meanwhile`() async throws {
        let ledger = try await Ledger.sample()
        let task = try await ledger.hold()
        // A claim writes the row anew, somewhere else, and does not take the wallet's lock.
        let claim = Statement("SELECT FROM claim(\(ledger.wallet.id), now(), 1, now() + interval '1 minute', '{}')")
        #expect(try await behind(claim) { try await ledger.accept(task) } == .accepted)
        let owner = TestDatabase.current.pool(maximumConnections: 1)
        let row = try await owner.query("SELECT state, leased, lease_token, attempts FROM task_work")[0]
        #expect(try row.decode("state") == "accepted")
        #expect(try row.decode("leased") == false)
        #expect(try row.decode("lease_token", as: Int64.self) == 2)
        #expect(try row.decode("attempts", as: Int32.self) == 1)

        let later = Statement(
            "SELECT FROM claim(\(ledger.wallet.id), now() + interval '1 day', 1, now() + interval '2 days', '{}')")
        #expect(try await behind(later) { try await ledger.settle(task, 3, .succeeded, charged: 42) } == .settled)
        #expect(try await owner.query("SELECT FROM task_work").isEmpty)
    }
}

@Suite(.books) struct `Counters and totals` {
    private static let tables = [
        "project", "budget", "budget_counter", "day_total", "reservation_default", "settlement_default",
        "acceptance",
    ]

    /// Ten projects with a task each, in a wallet with many counters, totals and tasks, of which the statistics know next to nothing.
    private func fill(_ ledger: Ledger, _ owner: ConnectionPool) async throws {
        for place in 1..<10 { try await ledger.createProject("p-\(place)", month: .credits(420), at: .sample) }
        for place in 0..<10 {
            _ = try await ledger.hold(.sample(place == 0 ? "alpha" : "p-\(place)", at: .sample + Double(place)))
        }
        try await owner.execute(
            "SELECT leave_groups(wallet_id, task_ids), queue_again(wallet_id, task_ids) FROM queued_group")
        try await owner.execute("CREATE TABLE few AS SELECT task_id FROM task_work")
        try await owner.execute("UPDATE task_work SET lease_token = 1")
        try await owner.execute(
            """
            INSERT INTO budget_counter
            SELECT wallet_id, project_id, 'day', starts_on - day, 0, 0
            FROM budget_counter, generate_series(1, 300) AS day
            """)
        try await owner.execute(
            """
            INSERT INTO day_total (wallet_id, day, project_id, model, sealed)
            SELECT wallet_id, total.day - past.day, project_id, model, true
            FROM day_total total, generate_series(1, 300) AS past (day)
            """)
        // Their ids are of the same time.
        try await owner.execute(
            """
            CREATE TABLE many AS
            SELECT overlay(gen_random_uuid()::text PLACING left(task_id::text, 13) FROM 1)::uuid AS task_id,
                   row_number() OVER () + 1000 AS entry_number
            FROM few, generate_series(1, 300)
            """)
        try await owner.execute(
            """
            INSERT INTO reservation (wallet_id, task_id, entry_number, project_id, model, price_id, amount_credits,
                                     wallet_held_credits, day, client_request_id, reserved_at, recorded_at)
            SELECT wallet_id, many.task_id, many.entry_number, project_id, model, price_id, amount_credits, wallet_held_credits, day,
                   many.task_id::text, reserved_at, recorded_at
            FROM many, (SELECT * FROM reservation LIMIT 1) AS one
            """)
        try await owner.execute(
            """
            INSERT INTO settlement (wallet_id, task_id, entry_number, outcome, evidence, reserved_credits, charged_credits,
                                    released_credits, price_difference_credits, settled_at, recorded_at)
            SELECT (SELECT min(wallet_id) FROM reservation), task_id, entry_number + 3000, 'succeeded', 'provider', 42, 42, 0, 0, now(), now()
            FROM many
            """)
        try await owner.execute(
            """
            INSERT INTO acceptance (wallet_id, task_id, entry_number, provider_task_id, held_credits, reserved_credits, accepted_at,
                                    recorded_at)
            SELECT (SELECT min(wallet_id) FROM reservation), task_id, entry_number + 6000, 'vid_' || task_id, 42, 42, now(), now()
            FROM many
            """)
        try await owner.execute(
            """
            UPDATE pg_class SET reltuples = 1, relpages = CASE WHEN relname ~ '^(budget_counter|day_total)' THEN 100 ELSE 1 END
            WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'i')
            """)
    }

    @Test(arguments: [UseOfTen.reserve, .accept(reserved: 43), .settle("settle"), .recordErrors])
    func `are read by their key, though the statistics know of one`(use: UseOfTen) async throws {
        let ledger = try await Ledger.sample()
        let owner = TestDatabase.current.pool(maximumConnections: 1)
        try await fill(ledger, owner)
        let read = try await use.read(Self.tables, in: owner, wallet: ledger.wallet.id)
        #expect(read >= 10 && read <= 120)
    }

    @Test func `are left alone by what has ended, which is looked up by its key`() async throws {
        let ledger = try await Ledger.sample()
        let owner = TestDatabase.current.pool(maximumConnections: 1)
        try await fill(ledger, owner)
        _ = try await UseOfTen.accept(reserved: 42).read([], in: owner, wallet: ledger.wallet.id)
        try await owner.execute("UPDATE task_work SET lease_token = 1")
        _ = try await UseOfTen.settle("settle").read([], in: owner, wallet: ledger.wallet.id)
        let again = UseOfTen.settle("settle again", expecting: "already_settled")
        #expect(try await again.read(["budget_counter", "day_total"], in: owner, wallet: ledger.wallet.id) == 0)
        let read = try await again.read(Self.tables, in: owner, wallet: ledger.wallet.id)
        #expect(read >= 30 && read <= 60)
    }
}
