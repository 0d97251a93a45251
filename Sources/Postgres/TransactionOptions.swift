/// How a transaction runs.
public struct TransactionOptions: Sendable {
    /// What a transaction sees of others.
    public enum Isolation: String, Sendable {
        /// Each statement sees what was committed before it began.
        case readCommitted = "READ COMMITTED"
        /// All statements see what was committed before the first one.
        case repeatableRead = "REPEATABLE READ"
        /// As if transactions ran one after the other.
        case serializable = "SERIALIZABLE"
    }

    /// What the transaction sees of others.
    public var isolation: Isolation
    /// Whether the server refuses writes.
    public var readOnly: Bool
    /// How often the body may run, at most, when it loses against another transaction.
    public var attempts: Int
    /// How long one statement may run, where it is not the connection's own limit; zero means without end.
    public var statementTimeout: Duration?

    /// Makes options; more than one attempt only where the body may run again.
    public init(
        isolation: Isolation = .readCommitted, readOnly: Bool = false, attempts: Int = 1,
        statementTimeout: Duration? = nil
    ) {
        precondition(attempts >= 1, "a transaction has at least one attempt")
        self.isolation = isolation
        self.readOnly = readOnly
        self.attempts = attempts
        self.statementTimeout = statementTimeout
    }

    var begin: Statement { Statement("BEGIN ISOLATION LEVEL \(isolation.rawValue)\(readOnly ? " READ ONLY" : "")") }
}
