import Postgres
import UsageSQL

/// A place where the books do not follow from their entries.
public struct Difference: Codable, Equatable, Sendable {
    /// The rule that is broken: the name of its file in sql/verify.
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
public enum Verification {
    /// The names of the rules, in the order in which they are proved.
    public static let rules = UsageSQL.rules.map(\.name)

    /// Re-counts all wallets in one snapshot, read-only.
    ///
    /// - Parameter progress: Told the name of each rule before it is proved.
    /// - Returns: All differences; none if the books are right.
    public static func run(
        on pool: ConnectionPool, progress: @escaping @Sendable (String) -> Void = { _ in }
    ) async throws(PostgresError) -> [Difference] {
        let options = TransactionOptions(isolation: .repeatableRead, readOnly: true)
        return try await pool.transaction(options) { (transaction) throws(PostgresError) in
            var differences: [Difference] = []
            for rule in UsageSQL.rules {
                progress(rule.name)
                for row in try transaction.query(rule.statement) {
                    differences.append(
                        Difference(
                            rule: rule.name, wallet: try row.decode("wallet"), subject: try row.decode("subject"),
                            found: try row.decode("found"), expected: try row.decode("expected")))
                }
            }
            return differences
        }
    }
}
