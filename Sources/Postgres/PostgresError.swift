/// What went wrong in talking to PostgreSQL, with what a caller needs to decide what to do next.
///
/// Neither the message nor the description ever holds a bound value, a password or a connection URL.
public struct PostgresError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The kinds of fault.
    public enum Reason: Equatable, Sendable {
        /// The server refused a statement; `sqlState` says why.
        case server
        /// The server could not be reached, or would not let us in; nothing was sent.
        case unreachable
        /// The connection to the server was lost.
        case connection
        /// A statement ran longer than it may, or the server stopped answering.
        case timeout
        /// The task was cancelled, or somebody cancelled the statement on the server.
        case cancelled
        /// A column does not hold what was asked for.
        case decoding
        /// The call itself is wrong; it fails the same way every time.
        case usage
        /// No connection became free in time.
        case poolExhausted
        /// The pool has been closed.
        case closed
    }

    /// The kind of fault.
    public let reason: Reason
    /// The server's five-character code, `nil` unless the server answered.
    public let sqlState: String?
    /// The constraint that was violated, if one was.
    public let constraint: String?
    /// Whether what was sent may have been committed all the same.
    public let outcomeIsUnknown: Bool
    /// What happened, as a sentence.
    public let message: String

    /// Makes an error.
    public init(
        reason: Reason, sqlState: String? = nil, constraint: String? = nil, outcomeIsUnknown: Bool = false,
        message: String
    ) {
        self.reason = reason
        self.sqlState = sqlState
        self.constraint = constraint
        self.outcomeIsUnknown = outcomeIsUnknown
        self.message = message
    }

    /// Whether the same call may succeed later.
    ///
    /// It does not say that repeating is safe: after a lost connection a commit may have happened.
    public var isTransient: Bool {
        switch reason {
        case .unreachable, .connection, .timeout, .poolExhausted: return true
        case .cancelled, .decoding, .usage, .closed: return false
        case .server: break
        }
        // Source: PostgreSQL manual, appendix A. 57014 is somebody's wish, 55P03 a lock that was not free, 25006 a
        // server that has become read-only, as after a failover, and class 58 the server's own disk or machine.
        guard let sqlState, sqlState != "57014" else { return false }
        return ["55P03", "25006"].contains(sqlState) || ["08", "40", "53", "57", "58"].contains(sqlState.prefix(2))
    }

    /// The message, the server's code and the constraint.
    public var description: String {
        let details = [sqlState, constraint.map { "constraint \($0)" }].compactMap(\.self)
        return details.isEmpty ? message : "\(message) (\(details.joined(separator: ", ")))"
    }

    /// Whether there is no server that answers at this moment, so that whoever asks next waits in vain as well.
    public var isOutage: Bool { [.unreachable, .timeout, .poolExhausted].contains(reason) }

    /// Whether the server takes no changes: a standby, or one that was set read-only.
    var isReadOnly: Bool { sqlState == "25006" }

    /// Whether the transaction lost against another one and can be run again from its start.
    public var isLostRace: Bool { sqlState == "40001" || sqlState == "40P01" }

    /// Whether a prepared statement is gone, or no longer fits what it reads, as after a migration; nothing ran, and the
    /// next time it is prepared anew.
    public var isStalePlan: Bool { sqlState == "0A000" || sqlState == "26000" }
}
