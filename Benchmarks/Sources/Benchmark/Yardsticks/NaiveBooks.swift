import Postgres
import Synchronization

/// What one writes by hand: a row for the wallet, one for each budget, and one transaction for each request.
final class NaiveBooks: Sendable {
    private let database: BenchmarkDatabase
    private let projects: Int
    private let reserved = Atomic(0)
    private let settled = Atomic(0)

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
        CREATE FUNCTION naive.reserve(p_project bigint, p_model text, p_amount bigint) RETURNS bigint LANGUAGE plpgsql AS $$
        DECLARE reserved bigint;
        BEGIN
            WITH from_wallet AS (
                UPDATE naive.wallet SET held = held + p_amount
                WHERE wallet_id = 1 AND held + charged + p_amount <= balance RETURNING wallet_id
            ), from_budget AS (
                UPDATE naive.budget SET held = held + p_amount
                WHERE project_id = p_project AND held + charged + p_amount <= most RETURNING project_id
            )
            INSERT INTO naive.reservation (project_id, model, amount)
            SELECT project_id, p_model, p_amount FROM from_wallet, from_budget
            RETURNING reservation_id INTO reserved;
            IF reserved IS NULL THEN RAISE EXCEPTION 'it does not fit'; END IF;
            RETURN reserved;
        END $$;
        """

    /// One reservation.
    func reserve(clients: Int) throws -> Pgbench { try Pgbench(reservation, clients: clients, on: database) }

    /// The same in one round trip, with one statement in one function.
    func reserveInOneCall(clients: Int) throws -> Pgbench {
        try Pgbench(
            """
            \\set project random(1, \(projects))
            SELECT naive.reserve(:project, '\(OurBooks.model)', \(OurBooks.price));

            """, clients: clients, on: database)
    }

    /// A reservation and its settlement, and where it is wanted the acceptance between them, each a transaction.
    func lifecycle(clients: Int, accepted: Bool) throws -> Pgbench {
        let acceptance = """
            UPDATE naive.reservation SET state = 'accepted', provider_task_id = 'vid_' || reservation_id
            WHERE reservation_id = :reservation_id AND state = 'reserved';

            """
        return try Pgbench(
            reservation + (accepted ? acceptance : "") + settlement(of: accepted ? "accepted" : "reserved"),
            clients: clients, on: database)
    }

    /// The settlement of a reservation of `accepted(count:)`, of which `:first` is the first.
    func settle(clients: Int) throws -> Pgbench {
        try Pgbench(
            """
            \\set project 1
            \\set reservation_id :first + :client_id
            \\set first :first + \(clients)
            \(settlement(of: "accepted"))
            """, clients: clients, on: database)
    }

    /// Adds so many reservations that the provider then took, and returns the first; the others follow on it.
    func accepted(count: Int) async throws -> Int {
        try await database.owner.execute(
            "UPDATE naive.wallet SET held = held + $1", Int64(count) * OurBooks.price)
        try await database.owner.execute(
            "UPDATE naive.budget SET held = held + $1 WHERE project_id = 1", Int64(count) * OurBooks.price)
        let row = try await database.owner.query(
            """
            WITH made AS (
                INSERT INTO naive.reservation (project_id, model, amount, state, provider_task_id)
                SELECT 1, $2, $3, 'accepted', 'vid_' || n FROM generate_series(1, $1) AS n RETURNING reservation_id
            ) SELECT min(reservation_id), max(reservation_id) FROM made
            """, Int64(count), OurBooks.model, OurBooks.price)[0]
        let (first, last): (Int64, Int64) = (try row.decode(at: 0), try row.decode(at: 1))
        guard last - first == count - 1 else {
            throw Mistake("The reservations that were made have gaps between them.")
        }
        reserved.add(count, ordering: .relaxed)
        return Int(first)
    }

    /// The reservation first: nobody else wants it, so that the rows that all want are locked no longer than they must be.
    private func settlement(of state: String) -> String {
        """
        BEGIN;
        UPDATE naive.reservation SET state = 'succeeded', charged = 42, settled_at = now()
        WHERE reservation_id = :reservation_id AND state = '\(state)';
        UPDATE naive.wallet SET held = held - 42, charged = charged + 42 WHERE wallet_id = 1;
        UPDATE naive.budget SET held = held - 42, charged = charged + 42 WHERE project_id = :project;
        COMMIT;

        """
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
    func run(
        _ script: Pgbench, _ round: Stage.Round, variables: [String: Int] = [:], reserves: Bool = true,
        settles: Bool = false
    ) async throws -> Sample {
        let sample = try await script.run(seconds: round.seconds, variables: variables)
        if reserves { reserved.add(sample.operations, ordering: .relaxed) }
        if settles { settled.add(sample.operations, ordering: .relaxed) }
        return sample
    }

    /// Whether these books, too, say what was done: they are no yardstick otherwise.
    func problems() async throws -> [String] {
        let row = try await database.owner.query(
            """
            SELECT (SELECT count(*) FROM naive.reservation) AS reservations,
                   (SELECT count(*) FROM naive.reservation WHERE state = 'succeeded') AS settlements,
                   wallet.held AS wallet_held, wallet.charged AS wallet_charged, budget.held AS budgets_held,
                   budget.charged AS budgets_charged
            FROM naive.wallet, (SELECT sum(held)::bigint AS held, sum(charged)::bigint AS charged FROM naive.budget) AS budget
            """)[0]
        let (done, ended) = (Int64(reserved.load(ordering: .relaxed)), Int64(settled.load(ordering: .relaxed)))
        let (held, charged) = ((done - ended) * OurBooks.price, ended * OurBooks.price)
        let expected = [
            ("reservations", done), ("settlements", ended), ("wallet_held", held), ("wallet_charged", charged),
            ("budgets_held", held), ("budgets_charged", charged),
        ]
        var problems: [String] = []
        for (name, expected) in expected {
            let found: Int64 = try row.decode(name)
            if found != expected { problems.append("naive: \(name) is \(found), pgbench did \(expected)") }
        }
        return problems
    }
}
