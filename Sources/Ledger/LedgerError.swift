import Postgres

/// Why the ledger could not answer.
public enum LedgerError: Error, Equatable, Sendable {
    /// The wallet has no project of this name.
    case unknownProject(String)
    /// There is no wallet of this name.
    case unknownWallet(String)
    /// The price book has no price for the model.
    case unpriced(model: String)
    /// The caller used this `client_request_id` for another request before.
    case clientRequestConflict(String)
    /// A wallet or project of this name, or a price from this moment on, exists already.
    case alreadyExists(String)
    /// The time zone is not one that PostgreSQL knows.
    case unknownTimeZone(String)
    /// As many callers wait for the books as may; nothing was held for this one.
    case overloaded
    /// The caller was cancelled while it waited; nothing was held for it.
    case cancelled
    /// PostgreSQL cannot answer; for an admission, whether it was made is told by asking again with the same
    /// `client_request_id`.
    case database(PostgresError)

    /// Whether what was asked for may have been booked all the same.
    public var outcomeIsUnknown: Bool {
        if case .database(let error) = self { error.outcomeIsUnknown } else { false }
    }

    /// Whether the same call may succeed later.
    public var isTransient: Bool {
        switch self {
        case .overloaded: true
        case .database(let error): error.isTransient
        default: false
        }
    }
}

extension LedgerError: CustomStringConvertible {
    /// One sentence: what is wrong, and how to mend it.
    public var description: String {
        switch self {
        case .unknownProject(let name):
            "There is no project '\(name)'; see usage project list, or make it with: usage project create \(name) --month 4200"
        case .unknownWallet(let name):
            "There is no wallet '\(name)'; see usage wallet, or make it with: usage wallet create \(name) --key-variable NAME"
        case .unpriced(let model):
            "The price book has no price for model '\(model)'; set one with: usage price set \(model) --credits N"
        case .clientRequestConflict(let id):
            "client_request_id '\(id)' was used before for another request; use a new one for a new request."
        case .alreadyExists(let what): "\(what) exists already."
        case .unknownTimeZone(let name): "'\(name)' is not a time zone; write it as Europe/Berlin or UTC."
        case .overloaded: "Too many requests are waiting for the books; try again in a moment."
        case .cancelled: "The request was cancelled while it waited; nothing was held."
        case .database(let error): error.message
        }
    }
}
