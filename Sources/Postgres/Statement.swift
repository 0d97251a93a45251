/// A fixed SQL text with `$1`, `$2` … where values go.
///
/// Values are always bound and never become part of the text, so the text is the key under which a connection keeps
/// the prepared statement.
public struct Statement: Hashable, Sendable, ExpressibleByStringLiteral {
    /// The SQL text.
    public let sql: String
    private let givenName: String?

    /// What people call it: the name of its file, or else its first three words.
    public var name: String {
        givenName ?? sql.split(maxSplits: 3, whereSeparator: \.isWhitespace).prefix(3).joined(separator: " ")
    }

    /// Makes a statement of a fixed text, such as one read from a file.
    public init(_ sql: String, name: String? = nil) {
        self.sql = sql
        givenName = name
    }

    /// Makes a statement of a literal.
    public init(stringLiteral value: String) {
        self.init(value)
    }
}

/// One statement of a pipeline, with its values.
public struct PipelineStep: Sendable {
    /// What is run.
    public let statement: Statement
    /// The values of `$1`, `$2` ….
    public let parameters: [any PostgresEncodable]

    /// Makes a step.
    public init(_ statement: Statement, _ parameters: any PostgresEncodable...) {
        self.init(statement, parameters: parameters)
    }

    /// Makes a step with values that are already in an array.
    public init(_ statement: Statement, parameters: [any PostgresEncodable]) {
        self.statement = statement
        self.parameters = parameters
    }
}

/// Statements that run in one transaction, and who is told what came of them.
public struct Pipeline: Sendable {
    /// The most that a connection has under way: one that the server works on, one that waits for it there, and something
    /// brief between them.
    static let mostUnderWay = 3
    /// The most that a connection takes in one go, so that others who wait for it have their turn.
    static let mostInTurn = 100

    let steps: [PipelineStep]
    let answer: @Sendable (Result<[Rows], PostgresError>) -> Void

    /// Makes a pipeline.
    ///
    /// - Parameter answer: Runs once, on the connection's thread, and so must not wait for anything: with the rows of
    ///   each step, all of which are committed, or with why none of them took effect, unless its `outcomeIsUnknown`.
    public init(_ steps: [PipelineStep], answer: @escaping @Sendable (Result<[Rows], PostgresError>) -> Void) {
        self.steps = steps
        self.answer = answer
    }
}
