import Postgres
import TestDatabase
import Testing

@Suite(.books) struct `The schema` {
    /// Not ours: the migrator of the library keeps it.
    private static let ownTables = """
        SELECT oid FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v') AND relname <> 'usage_migration'
        """

    @Test func `explains every table and view`() async throws {
        let silent = try await TestDatabase.current.texts(
            Statement(
                """
                SELECT oid::regclass::text FROM pg_class
                WHERE oid IN (\(Self.ownTables)) AND obj_description(oid, 'pg_class') IS NULL ORDER BY 1
                """))
        #expect(silent == [])
    }

    @Test func `explains every function`() async throws {
        let silent = try await TestDatabase.current.texts(
            """
            SELECT proname::text FROM pg_proc
            WHERE pronamespace = 'public'::regnamespace AND obj_description(oid, 'pg_proc') IS NULL ORDER BY 1
            """)
        #expect(silent == [])
    }

    @Test func `explains every column that has a unit`() async throws {
        let silent = try await TestDatabase.current.texts(
            Statement(
                """
                SELECT attrelid::regclass || '.' || attname FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
                WHERE attrelid IN (\(Self.ownTables)) AND relkind IN ('r', 'p') AND NOT relispartition AND attnum > 0 AND NOT attisdropped
                    AND attname ~ '_(credits|at|seconds)$' AND col_description(attrelid, attnum) IS NULL
                ORDER BY 1
                """))
        #expect(silent == [])
    }

    @Test func `says of every column of credits that they are whole credits`() async throws {
        let vague = try await TestDatabase.current.texts(
            Statement(
                """
                SELECT attrelid::regclass || '.' || attname FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
                WHERE attrelid IN (\(Self.ownTables)) AND relkind IN ('r', 'p') AND NOT relispartition AND attname LIKE '%\\_credits'
                    AND (atttypid <> 'bigint'::regtype OR col_description(attrelid, attnum) !~* 'credits')
                ORDER BY 1
                """))
        #expect(vague == [])
    }

    @Test func `has the wallet first in every key but the wallet's own`() async throws {
        let others = try await TestDatabase.current.texts(
            Statement(
                """
                SELECT index.indexrelid::regclass::text
                FROM pg_index index
                JOIN pg_attribute first ON first.attrelid = index.indrelid AND first.attnum = index.indkey[0]
                WHERE index.indrelid IN (\(Self.ownTables)) AND first.attname <> 'wallet_id'
                ORDER BY 1
                """))
        #expect(others == ["wallet_slug_unique"])
    }

    @Test func `has foreign keys that stay inside a wallet`() async throws {
        let others = try await TestDatabase.current.texts(
            """
            SELECT conname::text FROM pg_constraint
            JOIN pg_attribute first ON first.attrelid = conrelid AND first.attnum = conkey[1]
            JOIN pg_attribute target ON target.attrelid = confrelid AND target.attnum = confkey[1]
            WHERE contype = 'f' AND connamespace = 'public'::regnamespace
                AND (first.attname, target.attname) <> ('wallet_id', 'wallet_id')
            """)
        #expect(others == [])
    }

    @Test func `names every constraint after its rule`() async throws {
        let unnamed = try await TestDatabase.current.texts(
            """
            SELECT conname::text FROM pg_constraint
            WHERE connamespace = 'public'::regnamespace AND conname ~ '_(check|pkey|fkey|key)[0-9]*$'
                AND conparentid = 0
                AND conname NOT IN (SELECT relname || '_key' FROM pg_class)
            ORDER BY 1
            """)
        #expect(unnamed == [])
    }
}

@Suite(.books) struct `The service's role` {
    /// The tables whose rows are added and never changed.
    static let entries = [
        "reservation", "refusal", "acceptance", "settlement", "correction", "recorded_error", "wallet_reading",
        "budget_change", "entry_link", "client_request", "price",
    ]

    @Test func `can read entries and add to them, and cannot change them`() async throws {
        let pool = TestDatabase.current.pool(maximumConnections: 1, role: "usage_service")
        for table in Self.entries {
            #expect(await pool.problem("SELECT * FROM \(table)") == nil, "\(table)")
            #expect(await pool.problem("UPDATE \(table) SET wallet_id = wallet_id") == "42501", "\(table)")
            #expect(await pool.problem("DELETE FROM \(table)") == "42501", "\(table)")
            #expect(await pool.problem("TRUNCATE \(table)") == "42501", "\(table)")
            #expect(try await TestDatabase.current.may("usage_service", "INSERT", table), "\(table)")
        }
    }

    @Test func `does not see the entries put together, which only a proof needs`() async throws {
        #expect(try await !TestDatabase.current.may("usage_service", "SELECT", "entry"))
    }

    @Test func `may call what moves credits`() async throws {
        #expect(try await TestDatabase.current.callable(by: "usage_service") == movers)
    }
}

@Suite(.books) struct `The reports' role` {
    private static let counters = [
        "wallet_balance", "project", "budget", "budget_counter", "day_total", "month_total", "task_work",
        "queued_group", "wallet",
    ]
    /// Of these it sees whose they are, and not what was asked for.
    private static let requests = ["client_request"]

    @Test func `can read what reports and proofs need, and nothing else`() async throws {
        let pool = TestDatabase.current.pool(maximumConnections: 1, role: "usage_report")
        for table in `The service's role`.entries + Self.counters {
            // The wallet's number is the database's own and so cannot even be named.
            let column = table == "wallet" ? "slug" : "wallet_id"
            let seen = Self.requests.contains(table) ? "wallet_id, task_id" : "*"
            #expect(await pool.problem("SELECT \(seen) FROM \(table)") == nil, "\(table)")
            #expect(await pool.problem("INSERT INTO \(table) DEFAULT VALUES") == "42501", "\(table)")
            #expect(await pool.problem("UPDATE \(table) SET \(column) = \(column)") == "42501", "\(table)")
            #expect(await pool.problem("DELETE FROM \(table)") == "42501", "\(table)")
            #expect(await pool.problem("TRUNCATE \(table)") == "42501", "\(table)")
        }
        #expect(await pool.problem("SELECT body FROM client_request") == "42501")
        #expect(await pool.problem("SELECT request_sha256 FROM client_request") == "42501")
    }

    @Test func `can read the views that the entries add up in`() async throws {
        for view in ["task_credits", "entry", "entry_hash", "stored_request"] {
            #expect(try await TestDatabase.current.may("usage_report", "SELECT", view))
            #expect(try await !TestDatabase.current.may("usage_report", "INSERT, UPDATE, DELETE", view))
        }
    }

    @Test func `may call nothing that moves credits`() async throws {
        #expect(try await TestDatabase.current.callable(by: "usage_report") == [])
        let pool = TestDatabase.current.pool(maximumConnections: 1, role: "usage_report")
        #expect(await pool.problem("SELECT create_wallet('x', 'UTC', 'X', now())") == "42501")
    }
}

/// Logins as an operator makes them: not the owner of anything, and members of one role each.
@Suite(.books) struct `A login` {
    /// What nobody but the owner of the database may do.
    static let forbidden = [
        "ALTER TABLE reservation DISABLE TRIGGER ALL",
        "ALTER TABLE reservation DROP CONSTRAINT reservation_amount_positive",
        "ALTER TABLE entry_link ALTER hashes DROP NOT NULL", "ALTER TABLE settlement OWNER TO CURRENT_USER",
        "ALTER TABLE reservation ADD COLUMN mine int", "ALTER TABLE reservation ENABLE ROW LEVEL SECURITY",
        "CREATE TRIGGER mine BEFORE INSERT ON reservation FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
        "CREATE RULE mine AS ON DELETE TO reservation DO INSTEAD NOTHING", "CREATE INDEX mine ON reservation (model)",
        "CREATE TABLE mine (a int)", "CREATE SCHEMA mine", "CREATE FUNCTION mine() RETURNS int LANGUAGE sql RETURN 1",
        "CREATE OR REPLACE FUNCTION entry_hash_after(previous bytea, line text) RETURNS bytea LANGUAGE sql RETURN previous",
        "CREATE OR REPLACE VIEW task_credits AS SELECT 1 AS wallet_id", "DROP VIEW entry", "DROP TABLE refusal",
        "DROP FUNCTION available_credits", "ALTER FUNCTION reserve RENAME TO mine",
        "COMMENT ON TABLE reservation IS 'mine'",
        "DO $$ BEGIN LOCK TABLE entry_link IN ACCESS EXCLUSIVE MODE; END $$",
        "CLUSTER reservation USING reservation_one_per_task",
        "REINDEX TABLE reservation", "SET session_replication_role = replica", "SET ROLE usage",
        "SET SESSION AUTHORIZATION usage",
        "GRANT usage TO CURRENT_USER", "ALTER ROLE usage_service SUPERUSER",
        "CREATE ROLE mine", "DROP ROLE usage_report", "ALTER SYSTEM SET fsync = off",
        "ALTER DATABASE postgres SET a.b = 1",
        "CREATE EXTENSION dblink", "COPY reservation TO PROGRAM 'true'", "COPY price FROM '/etc/passwd'",
        "SELECT pg_read_file('PG_VERSION')", "SELECT lo_import('/etc/passwd')", "SELECT pg_reload_conf()",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'usage' LIMIT 1",
        "SELECT passwd FROM pg_shadow", "DELETE FROM usage_migration",
        "INSERT INTO usage_migration VALUES (99, 'x', '', now())", "UPDATE wallet SET slug = 'mine'",
        "DELETE FROM project",
        "UPDATE price SET amount_credits = 1", "DELETE FROM wallet_balance", "DELETE FROM day_total",
        "TRUNCATE day_total", "INSERT INTO reservation_default SELECT * FROM reservation",
        "SELECT FROM settlement_default",
        "DROP TABLE refusal_default", "ALTER TABLE settlement DETACH PARTITION settlement_default",
        "CREATE TABLE mine PARTITION OF refusal FOR VALUES FROM (MINVALUE) TO (MAXVALUE)",
        "SELECT make_partitions(now(), now())",
    ]

    @Test(arguments: ["usage_service", "usage_report"])
    func `of neither role can do what is the owner's`(role: String) async throws {
        try await TestDatabase.current.withLogin(of: role) { pool async throws in
            for act in Self.forbidden {
                let problem = await pool.problem(act)
                // Some are turned away for more than one reason; none may work.
                #expect(
                    ["42501", "42710", "42809", "2BP01", "25001"].contains(problem), "\(act): \(problem ?? "done")")
            }
            // This one only warns.
            _ = await pool.problem("GRANT ALL ON settlement TO PUBLIC")
            #expect(try await !TestDatabase.current.may("public", "SELECT, INSERT, UPDATE, DELETE", "settlement"))
            for table in `The service's role`.entries {
                for act in ["UPDATE \(table) SET wallet_id = wallet_id", "DELETE FROM \(table)", "TRUNCATE \(table)"] {
                    #expect(await pool.problem(act) == "42501", "\(act)")
                }
            }
        }
    }

    @Test func `of the reports' role can neither add an entry nor become the service`() async throws {
        try await TestDatabase.current.withLogin(of: "usage_report") { pool async throws in
            for table in `The service's role`.entries {
                #expect(await pool.problem("INSERT INTO \(table) DEFAULT VALUES") == "42501", "\(table)")
            }
            #expect(await pool.problem("SET ROLE usage_service") == "42501")
        }
    }

    @Test func `of no role sees nothing`() async throws {
        try await TestDatabase.current.withLogin(of: nil) { pool async throws in
            for table in `The service's role`.entries + [
                "wallet", "wallet_balance", "task_work", "entry", "usage_migration",
            ] {
                #expect(await pool.problem("SELECT FROM \(table)") == "42501", "\(table)")
            }
            #expect(
                await pool.problem(
                    "SELECT * FROM reserve(1, '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}')")
                    == "42501")
        }
    }
}

private let movers = [
    "accept", "claim", "create_project", "create_wallet", "extend_leases", "known_tasks", "leave_groups",
    "make_partitions", "queue_again", "record_errors", "record_reading", "reserve", "schedule", "seal_days",
    "set_budget", "settle", "store_request",
]

extension ConnectionPool {
    /// The SQLSTATE with which a statement fails.
    func problem(_ sql: String) async -> String? {
        do throws(PostgresError) {
            try await execute(Statement(sql))
            return nil
        } catch { return error.sqlState ?? error.message }
    }
}

extension TestDatabase {
    /// Lends connections of a login that an operator made, as a member of a role; the login goes with it.
    fileprivate func withLogin(of role: String?, _ body: (ConnectionPool) async throws -> Void) async throws {
        let owner = pool(maximumConnections: 1)
        let login = "login_\(UInt64.random(in: 0 ... .max))"
        try await owner.execute(Statement("CREATE ROLE \(login) LOGIN" + (role.map { " IN ROLE \($0)" } ?? "")))
        let pool = pool(
            PostgresConfiguration(url: url.replacing("user=usage", with: "user=\(login)"), maximumConnections: 1))
        do {
            let user = try await pool.query("SELECT session_user::text AS name")[0].decode("name", as: String.self)
            try #require(user == login)
            try await body(pool)
        } catch {
            await pool.close()
            try await owner.execute(Statement("DROP ROLE \(login)"))
            throw error
        }
        await pool.close()
        try await owner.execute(Statement("DROP ROLE \(login)"))
    }

    fileprivate func may(_ role: String, _ privilege: String, _ table: String) async throws -> Bool {
        try await pool(maximumConnections: 1).query("SELECT has_table_privilege($1, $2, $3)", role, table, privilege)[0]
            .decode(at: 0)
    }

    /// The functions that change something and that a role may call.
    fileprivate func callable(by role: String) async throws -> [String] {
        try await pool(maximumConnections: 1).query(
            """
            SELECT proname::text FROM pg_proc
            WHERE pronamespace = 'public'::regnamespace AND provolatile = 'v'
                AND has_function_privilege($1, oid, 'EXECUTE')
            ORDER BY 1
            """, role
        ).map { row in try row.decode(at: 0) }
    }
}
