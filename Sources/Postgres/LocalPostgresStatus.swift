/// What there is of a private server.
public enum LocalPostgresStatus: Equatable, Sendable {
    /// It answers.
    case running(url: String, processID: Int32, version: String, dataDirectory: String)
    /// It has a data folder, and does not answer.
    case stopped(dataDirectory: String)
    /// It has never been started.
    case absent

    /// Where to connect, if it runs.
    public var url: String? {
        guard case .running(let url, _, _, _) = self else { return nil }
        return url
    }

    /// Whether it answers.
    public var isRunning: Bool { url != nil }
}

/// Why a private server cannot be started or stopped, as one sentence that says how to mend it.
public struct LocalPostgresError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The sentence.
    public let message: String

    /// Makes an error.
    public init(message: String) {
        self.message = message
    }

    /// The sentence.
    public var description: String { message }
}
