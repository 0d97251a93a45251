import Postgres
import UsageReports
import UsageSQL

/// A place where the books do not follow from their entries.
public struct Difference: Codable, Equatable, Sendable {
    /// The rule that is broken.
    public let rule: String
    /// The wallet.
    public let wallet: String
    /// The row.
    public let subject: String
    /// What it says.
    public let found: String
    /// What the entries say.
    public let expected: String
}

/// The re-count of everything from the entries alone.
public struct Verification: Sendable {
    /// All differences; none if the books are right.
    public let differences: [Difference]
    /// The newest hash of each wallet, from the same snapshot.
    public let heads: [ChainHead]
    /// The names of the rules that were proved, in order.
    public let rules: [String]

    /// The names of all rules, in the order in which they are proved.
    public static let allRules = UsageSQL.proofs.flatMap(\.rules)

    /// How many steps ``make(on:progress:)`` has.
    public static let steps = UsageSQL.proofs.count

    /// Re-counts all wallets in one snapshot, read-only.
    ///
    /// - Parameter progress: Told after each step how many are done.
    public static func make(
        on pool: ConnectionPool, progress: @escaping @Sendable (Int) -> Void = { _ in }
    ) async throws(PostgresError) -> Verification {
        // All entries are read several times over: an hour is enough for hundreds of millions.
        let options = TransactionOptions(isolation: .repeatableRead, readOnly: true, statementTimeout: .seconds(3600))
        return try await pool.transaction(options) { (transaction) throws(PostgresError) in
            try transaction.waitForMovingRows()
            // Large joins stay in memory, and nothing is compiled for statements that run once.
            // How many entries a link has is not in the statistics, and so a sort of them all looks cheaper than it is.
            _ = try transaction.query(
                """
                SELECT set_config('work_mem', '256MB', true), set_config('jit', 'off', true),
                       set_config('enable_mergejoin', 'off', true)
                """)
            var differences: [Difference] = []
            for (step, proof) in UsageSQL.proofs.enumerated() {
                for row in try transaction.query(proof.statement) { differences.append(try Difference(row)) }
                progress(step + 1)
            }
            return Verification(
                differences: differences, heads: try ChainHead.all(in: transaction), rules: allRules)
        }
    }

    /// The differences alone.
    public static func run(on pool: ConnectionPool) async throws(PostgresError) -> [Difference] {
        try await make(on: pool).differences
    }
}

extension Difference {
    fileprivate init(_ row: Row) throws(PostgresError) {
        rule = try row.decode("rule")
        wallet = try row.decode("wallet")
        subject = try row.decode("subject")
        found = try row.decode("found")
        expected = try row.decode("expected")
    }
}

extension Transaction {
    /// Waits until no rows move to the partition of their month, and keeps any from moving until the transaction ends.
    ///
    /// Run before everything else, as it takes no snapshot: one from before the move sees the rows in neither place.
    func waitForMovingRows() throws(PostgresError) {
        try execute("LOCK TABLE ONLY reservation IN ACCESS SHARE MODE")
    }
}
