import Ledger
import RivyaClient

/// Why a worker stopped.
public enum WorkerError: Error, Sendable, CustomStringConvertible {
    /// The provider refuses the API key; the tasks stay queued.
    case keyRefused(RivyaError, variable: String)
    /// The books cannot be used, and waiting does not help.
    case ledger(LedgerError)

    /// One sentence: what is wrong, and how to mend it.
    public var description: String {
        switch self {
        case .keyRefused(let error, let variable):
            "The provider refuses the API key (\(error.code)); the tasks stay queued. Put a valid key into \(variable) and start the worker again."
        case .ledger(let error): error.description
        }
    }
}
