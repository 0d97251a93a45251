import Postgres
import TestDatabase
import Testing

@Suite(.books) struct `The schema` {
    /// Not ours: the migrator of the library keeps it.
    private static let ownTables = """
        SELECT oid FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v') AND relname <> 'usage_migration'
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
                WHERE attrelid IN (\(Self.ownTables)) AND relkind = 'r' AND attnum > 0 AND NOT attisdropped
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
                WHERE attrelid IN (\(Self.ownTables)) AND relkind = 'r' AND attname LIKE '%\\_credits'
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
        "budget_change", "client_request", "task", "task_request", "price",
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

    @Test func `owns nothing and may not make tables`() async throws {
        let pool = TestDatabase.current.pool(maximumConnections: 1, role: "usage_service")
        #expect(await pool.problem("CREATE TABLE mine (a int)") == "42501")
        #expect(await pool.problem("ALTER TABLE task DROP CONSTRAINT task_of_a_project") == "42501")
        #expect(await pool.problem("DROP FUNCTION available_credits") == "42501")
    }

    @Test func `cannot touch the migrations`() async throws {
        let pool = TestDatabase.current.pool(maximumConnections: 1, role: "usage_service")
        #expect(await pool.problem("DELETE FROM usage_migration") == "42501")
        #expect(await pool.problem("INSERT INTO usage_migration VALUES (99, 'x', '', now())") == "42501")
    }

    @Test func `may call what moves credits`() async throws {
        #expect(try await TestDatabase.current.callable(by: "usage_service") == movers)
    }
}

@Suite(.books) struct `The reports' role` {
    private static let counters = [
        "wallet_balance", "project", "budget", "budget_counter", "day_total", "task_work", "wallet",
    ]

    @Test func `can read every table, and nothing else`() async throws {
        let pool = TestDatabase.current.pool(maximumConnections: 1, role: "usage_report")
        for table in `The service's role`.entries + Self.counters {
            // The wallet's number is the database's own and so cannot even be named.
            let column = table == "wallet" ? "slug" : "wallet_id"
            #expect(await pool.problem("SELECT * FROM \(table)") == nil, "\(table)")
            #expect(await pool.problem("INSERT INTO \(table) DEFAULT VALUES") == "42501", "\(table)")
            #expect(await pool.problem("UPDATE \(table) SET \(column) = \(column)") == "42501", "\(table)")
            #expect(await pool.problem("DELETE FROM \(table)") == "42501", "\(table)")
            #expect(await pool.problem("TRUNCATE \(table)") == "42501", "\(table)")
        }
    }

    @Test func `can read the view of what each task's entries add up to`() async throws {
        #expect(try await TestDatabase.current.may("usage_report", "SELECT", "task_credits"))
        #expect(try await !TestDatabase.current.may("usage_report", "INSERT, UPDATE, DELETE", "task_credits"))
    }

    @Test func `may call nothing that moves credits`() async throws {
        #expect(try await TestDatabase.current.callable(by: "usage_report") == [])
        let pool = TestDatabase.current.pool(maximumConnections: 1, role: "usage_report")
        #expect(await pool.problem("SELECT create_wallet('x', 'UTC', 'X', now())") == "42501")
    }
}

private let movers = [
    "accept", "create_project", "create_wallet", "record_errors", "record_reading", "reserve", "set_budget", "settle",
]

extension ConnectionPool {
    /// The SQLSTATE with which a statement fails.
    fileprivate func problem(_ sql: String) async -> String? {
        do throws(PostgresError) {
            try await execute(Statement(sql))
            return nil
        } catch { return error.sqlState ?? error.message }
    }
}

extension TestDatabase {
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
