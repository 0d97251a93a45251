import Postgres
import Synchronization

/// What one writes by hand: a row for the wallet, one for each budget, and one transaction for each request.
final class NaiveBooks: Sendable {
    private let database: BenchmarkDatabase
    private let projects: Int
    private let operations = Atomic(0)

    private init(_ database: BenchmarkDatabase, projects: Int) {
        self.database = database
        self.projects = projects
    }

    /// Makes them in a schema of their own.
    static func make(projects: Int = 1, in database: BenchmarkDatabase) async throws -> NaiveBooks {
        try await database.owner.withConnection { (connection) throws(PostgresError) in
            try await connection.transaction { (transaction) throws(PostgresError) in
                try transaction.executeScript(tables)
                try transaction.execute("INSERT INTO naive.wallet VALUES (1, 1000000000000000, 0, 0)")
                try transaction.execute(
                    "INSERT INTO naive.budget SELECT n, 1000000000000000, 0, 0 FROM generate_series(1, $1) AS n",
                    Int64(projects))
            }
        }
        return NaiveBooks(database, projects: projects)
    }

    private static let tables: Statement = """
        CREATE SCHEMA naive;
        CREATE TABLE naive.wallet (
            wallet_id bigint PRIMARY KEY, balance bigint NOT NULL, held bigint NOT NULL, charged bigint NOT NULL
        ) WITH (fillfactor = 70);
        CREATE TABLE naive.budget (
            project_id bigint PRIMARY KEY, most bigint NOT NULL, held bigint NOT NULL, charged bigint NOT NULL
        ) WITH (fillfactor = 70);
        CREATE TABLE naive.reservation (
            reservation_id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY, project_id bigint NOT NULL, model text NOT NULL,
            amount bigint NOT NULL, state text NOT NULL DEFAULT 'reserved', provider_task_id text, charged bigint,
            reserved_at timestamptz NOT NULL DEFAULT now(), settled_at timestamptz
        );
        """

    /// One reservation.
    func reserve(clients: Int) throws -> Pgbench { try Pgbench(reservation, clients: clients, on: database) }

    /// A reservation, its acceptance and its settlement, in three transactions.
    func lifecycle(clients: Int) throws -> Pgbench {
        try Pgbench(
            reservation + """
                UPDATE naive.reservation SET state = 'accepted', provider_task_id = 'vid_' || reservation_id
                WHERE reservation_id = :reservation_id AND state = 'reserved';
                BEGIN;
                UPDATE naive.wallet SET held = held - 42, charged = charged + 42 WHERE wallet_id = 1;
                UPDATE naive.budget SET held = held - 42, charged = charged + 42 WHERE project_id = :project;
                UPDATE naive.reservation SET state = 'succeeded', charged = 42, settled_at = now()
                WHERE reservation_id = :reservation_id AND state = 'accepted';
                COMMIT;

                """, clients: clients, on: database)
    }

    private var reservation: String {
        """
        \\set project random(1, \(projects))
        BEGIN;
        UPDATE naive.wallet SET held = held + 42 WHERE wallet_id = 1 AND held + charged + 42 <= balance;
        UPDATE naive.budget SET held = held + 42 WHERE project_id = :project AND held + charged + 42 <= most;
        INSERT INTO naive.reservation (project_id, model, amount) VALUES (:project, '\(OurBooks.model)', 42)
        RETURNING reservation_id \\gset
        COMMIT;

        """
    }

    /// Runs one of the scripts, and counts what it did.
    func run(_ script: Pgbench, _ round: Stage.Round) async throws -> Sample {
        let sample = try await script.run(seconds: round.seconds)
        operations.add(sample.operations, ordering: .relaxed)
        return sample
    }

    /// Whether these books, too, say what was done: they are no yardstick otherwise.
    func problems(areSettled: Bool = false) async throws -> [String] {
        let row = try await database.owner.query(
            """
            SELECT (SELECT count(*) FROM naive.reservation WHERE ($1 AND state = 'succeeded') OR (NOT $1 AND state = 'reserved')) AS rows,
                   wallet.held + wallet.charged AS wallet, (SELECT sum(held + charged) FROM naive.budget)::bigint AS budgets
            FROM naive.wallet
            """, areSettled)[0]
        var problems: [String] = []
        let done = Int64(operations.load(ordering: .relaxed))
        let expected = [
            ("rows", done), ("wallet", done * OurBooks.price), ("budgets", done * OurBooks.price),
        ]
        for (name, expected) in expected {
            let found: Int64 = try row.decode(name)
            if found != expected { problems.append("naive: \(name) is \(found), pgbench did \(expected)") }
        }
        return problems
    }
}
