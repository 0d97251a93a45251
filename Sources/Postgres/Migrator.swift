import Logging

/// Applies numbered migrations once, in order, under one lock.
///
/// Each file runs in a transaction of its own together with the row that remembers it, so a file has run or it has not.
/// Any number of processes may migrate at once. A file that changes a table which others use waits two seconds at a time
/// for it, as whoever comes next stands behind it, and is tried again for ten minutes.
public struct Migrator: Sendable {
    private let migrations: [Migration]
    private let logger: Logger

    /// Takes the migrations of this program, numbered from 1 without gaps, in any order.
    public init(migrations: [Migration], logger: Logger) {
        self.migrations = migrations.sorted { $0.number < $1.number }
        precondition(
            self.migrations.map(\.number) == Array(self.migrations.indices.map { $0 + 1 }),
            "migrations are numbered from 1, each once and without gaps")
        self.logger = logger
    }

    /// The migrations that the database does not have yet.
    ///
    /// - Throws: A ``PostgresError`` with the reason `usage` if an applied file was edited, or if the database has
    ///   migrations that this program does not know.
    public func pending(on connection: Connection) async throws(PostgresError) -> [Migration] {
        // Every start of a program asks, so the files are hashed while the connection is made.
        async let checksums = migrations.map(\.checksum)
        do throws(PostgresError) {
            let applied = try await connection.query(Self.applied)
            return try pending(after: applied, checksums: await checksums)
        } catch {
            // Before the first migration there is no table: undefined_table.
            guard error.sqlState == "42P01" else { throw error }
            return migrations
        }
    }

    /// Applies what is missing and returns it.
    ///
    /// - Throws: What ``pending(on:)`` throws, or what a file's statement fails with; the files before it stay applied
    ///   and nothing of it remains. The code 55P03 says that others never let go of a table.
    @discardableResult
    public func migrate(_ pool: ConnectionPool) async throws(PostgresError) -> [Migration] {
        try await pool.withConnection { (connection) throws(PostgresError) in
            guard try await !pending(on: connection).isEmpty else { return [] }
            var applied: [Migration] = []
            // Until when the next file may wait for others; nil while it does not.
            var deadline: ContinuousClock.Instant?
            while true {
                do throws(PostgresError) {
                    guard let migration = try await applyNext(on: connection) else { return applied }
                    logger.info("migration applied", metadata: ["migration.name": "\(migration.name)"])
                    applied.append(migration)
                    deadline = nil
                } catch {
                    guard error.sqlState == "55P03" || error.isLostRace else { throw error }
                    if deadline == nil {
                        logger.warning(
                            "a migration waits for others who use its tables", metadata: ["error": "\(error)"])
                    }
                    let end = deadline ?? ContinuousClock.now + Self.statementTimeout
                    guard ContinuousClock.now < end else {
                        throw PostgresError(
                            reason: error.reason, sqlState: error.sqlState,
                            message: "\(error.message); others have used its tables for ten minutes, "
                                + "see in pg_stat_activity who does, and migrate again")
                    }
                    deadline = end
                    // A cancelled sleep is seen by the next attempt.
                    try? await Task.sleep(for: Self.pause)
                }
            }
        }
    }

    // Any number does, as long as nothing else in the database takes it as a lock. These are the letters "usage".
    private static let lock = 0x75_73_61_67_65
    // Long enough for a migration of a large table, and for waiting until another process has done it.
    private static let statementTimeout = Duration.seconds(600)
    // How long callers may stand behind a file that waits for a table, and how long they then have it to themselves.
    private static let lockTimeout: Statement = "SET LOCAL lock_timeout = '2s'"
    private static let pause = Duration.seconds(2)

    private func applyNext(on connection: Connection) async throws(PostgresError) -> Migration? {
        let options = TransactionOptions(statementTimeout: Self.statementTimeout)
        return try await connection.transaction(options) { (transaction) throws(PostgresError) in
            // Released with the transaction, even when this process is killed.
            try transaction.execute("SELECT pg_advisory_xact_lock($1)", Self.lock)
            try transaction.execute(Self.lockTimeout)
            guard let next = try pending(in: transaction).first else { return nil }
            if next.number == 1 { try transaction.executeScript(Self.table) }
            let script = Statement(String(decoding: next.sql, as: UTF8.self), name: next.name)
            do throws(PostgresError) { try transaction.executeScript(script) } catch {
                throw PostgresError(
                    reason: error.reason, sqlState: error.sqlState, constraint: error.constraint,
                    message: "\(next.name): \(error.message)")
            }
            try transaction.execute(
                """
                INSERT INTO usage_migration (number, name, checksum, applied_at) VALUES ($1::int, $2, $3, now())
                """, next.number, next.name, next.checksum)
            return next
        }
    }

    private func pending(in transaction: Transaction) throws(PostgresError) -> [Migration] {
        // Reading pg_class makes the session take note of a table made a moment ago; to_regclass alone may not.
        let exists = try transaction.query(
            "SELECT EXISTS (SELECT FROM pg_class WHERE oid = to_regclass('usage_migration'))")[0]
        guard try exists.decode(at: 0, as: Bool.self) else { return migrations }
        return try pending(after: transaction.query(Self.applied), checksums: migrations.map(\.checksum))
    }

    private static let applied: Statement = "SELECT number, name, checksum FROM usage_migration ORDER BY number"

    /// What is missing behind the applied ones, which have to be known and unchanged.
    private func pending(after applied: Rows, checksums: [[UInt8]]) throws(PostgresError) -> [Migration] {
        for row in applied {
            let name: String = try row.decode("name")
            let number: Int32 = try row.decode("number")
            guard migrations.indices.contains(Int(number) - 1) else {
                throw PostgresError(
                    reason: .usage,
                    message: "the database has the migration \(name), which this program does not know; use a newer one"
                )
            }
            guard try row.decode("checksum") == checksums[Int(number) - 1] else {
                throw PostgresError(
                    reason: .usage,
                    message:
                        "the migration \(name) is not the one that was applied: this database is of another version of the "
                        + "program, or the file was edited; use that version, or undo the edit and add a new file")
            }
        }
        return Array(migrations.dropFirst(applied.count))
    }

    private static let table: Statement = """
        CREATE TABLE IF NOT EXISTS usage_migration (
            number     int NOT NULL,
            name       text NOT NULL,
            checksum   bytea NOT NULL,
            applied_at timestamptz NOT NULL,
            CONSTRAINT usage_migration_once PRIMARY KEY (number)
        );
        COMMENT ON TABLE usage_migration IS 'The migrations that this database has.';
        COMMENT ON COLUMN usage_migration.checksum IS 'SHA-256 of the file; an applied file is never edited.';
        """
}
