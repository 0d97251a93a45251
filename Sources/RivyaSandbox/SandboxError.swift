/// Why the sandbox cannot do what its owner asked; what a client of the provider gets is a ``ProviderError``.
public enum SandboxError: Error, Equatable, CustomStringConvertible {
    /// Something else listens on the port.
    case portInUse(Int)
    /// The server did not start.
    case cannotStart(String)
    /// Settings that cannot be read or make no sense.
    case invalidSettings(String)
    /// No task has this id.
    case unknownTask(String)
    /// No account has this name.
    case unknownAccount(String)
    /// The task has ended before; an end is final.
    case alreadyFinished(String)
    /// The task has not ended yet.
    case notFinished(String)
    /// An amount is negative, or more than the wallet has.
    case invalidCredits(String)

    /// A sentence that says what is wrong and what to do.
    public var description: String {
        switch self {
        case .portInUse(let port):
            "Port \(port) is in use; stop what listens there, or choose another port (0 takes any free one)."
        case .cannotStart(let reason): "The sandbox did not start: \(reason)."
        case .invalidSettings(let reason): "Invalid settings: \(reason)."
        case .unknownTask(let id): "There is no task '\(id)'; the ids are in GET /books."
        case .unknownAccount(let name): "There is no account '\(name)'; the accounts are in GET /sandbox/settings."
        case .alreadyFinished(let id): "Task '\(id)' has ended already."
        case .notFinished(let id): "Task '\(id)' has not ended yet; end it first."
        case .invalidCredits(let reason): "Invalid credits: \(reason)."
        }
    }
}
