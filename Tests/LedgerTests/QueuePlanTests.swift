import Accounting
import Foundation
import Ledger
import Postgres
import TestDatabase
import Testing
import UsageSQL

@Suite(.books) struct `The queue` {
    /// What is done with the ten tasks of a wallet, `$1`, that stand in the table `few`: how many rows it answers with.
    struct Use: CustomTestStringConvertible {
        let testDescription: String
        let sql: Statement
        var rows: Int64 = 10
    }

    private static let tasks = "(SELECT array_agg(task_id ORDER BY task_id) FROM few)"

    private static func ten(_ value: String) -> String { "array_fill(\(value), ARRAY[10])" }

    private static func settle(recheck: String) -> Statement {
        Statement(
            """
            SELECT count(*) FROM settle($1, \(tasks), \(ten("1::bigint")), \(ten("'succeeded'::text")), \(ten("42::bigint")),
                \(ten("NULL::text")), \(ten("NULL::jsonb")), \(ten("NULL::text")), \(ten("NULL::text")), \(ten("now()")), \(ten(recheck)))
            WHERE outcome = 'settled'
            """)
    }

    static let uses = [
        Use(
            testDescription: "claim",
            sql: "SELECT count(*) FROM claim($1, now(), 10, now() + interval '1 minute', '{}')"),
        Use(
            testDescription: "extend leases",
            sql: Statement("SELECT count(*) FROM extend_leases($1, \(tasks), \(ten("1::bigint")), now())")),
        Use(
            testDescription: "give back",
            sql: Statement(
                "SELECT count(schedule($1, \(tasks), \(ten("1::bigint")), \(ten("'queued'::text")), \(ten("now()")), \(ten("false"))))"
            ), rows: 1),
        Use(
            testDescription: "accept",
            sql: Statement(
                """
                SELECT count(*) FROM accept($1, \(tasks), (SELECT array_agg('vid_' || task_id) FROM few), \(ten("42::bigint")),
                    \(ten("now()")), \(ten("now()")))
                WHERE outcome = 'accepted'
                """)),
        Use(testDescription: "settle", sql: settle(recheck: "NULL::timestamptz")),
        Use(testDescription: "settle and ask once more", sql: settle(recheck: "now()")),
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

    /// How many of the queue's rows a transaction has read by an index.
    private func rowsRead(_ transaction: Transaction) throws(PostgresError) -> Int64 {
        try transaction.query("SELECT idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relid = 'task_work'::regclass")[
            0
        ]
        .decode(at: 0)
    }

    @Test(arguments: uses)
    func `is read by its key, though the statistics say that it is empty`(use: Use) async throws {
        let ledger = try await Ledger.sample(month: 420)
        for place in 0..<10 { _ = try await ledger.hold(.sample(at: .sample + Double(place))) }
        let owner = TestDatabase.current.pool(maximumConnections: 1)
        try await owner.execute("CREATE TABLE few AS SELECT task_id FROM task_work")
        try await owner.execute(
            "UPDATE task_work SET leased = true, lease_token = 1, state = 'sending', first_sent_at = now()")
        try await fill(owner)
        let wallet = ledger.wallet.id
        let (rows, read) = try await owner.transaction { (transaction) throws(PostgresError) in
            let answer = try transaction.query(use.sql, wallet)
            return (try answer[0].decode(at: 0, as: Int64.self), try rowsRead(transaction))
        }
        #expect(rows == use.rows)
        #expect(read >= 10 && read <= 50)
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
            return try rowsRead(transaction)
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
