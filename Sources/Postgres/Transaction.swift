/// What a transaction's body works with; it ends with the body and never leaves it.
public struct Transaction {
    private let session: Session
    private let state: TransactionState

    init(session: Session, state: TransactionState) {
        self.session = session
        self.state = state
    }

    /// Runs a statement and returns its rows, all of them in memory.
    public func query(
        _ statement: Statement, _ parameters: any PostgresEncodable...
    ) throws(PostgresError) -> Rows {
        try query(statement, parameters: parameters)
    }

    /// Runs a statement with values that are already in an array, and returns its rows.
    public func query(
        _ statement: Statement, parameters: [any PostgresEncodable]
    ) throws(PostgresError) -> Rows {
        let bound = try BoundParameters(parameters)
        return try perform { () throws(PostgresError) in
            // The first statement carries BEGIN with it, in the same round trip.
            let opening = try state.takeOpening()
            return try session.run(opening + [(statement, bound)])[opening.count]
        }
    }

    /// Runs a statement and returns how many rows it added, changed or deleted.
    @discardableResult
    public func execute(
        _ statement: Statement, _ parameters: any PostgresEncodable...
    ) throws(PostgresError) -> Int {
        try query(statement, parameters: parameters).affectedRows
    }

    /// Runs a statement with values that are already in an array, and returns how many rows it touched.
    @discardableResult
    public func execute(
        _ statement: Statement, parameters: [any PostgresEncodable]
    ) throws(PostgresError) -> Int {
        try query(statement, parameters: parameters).affectedRows
    }

    /// Runs a text of many statements without parameters, such as a migration. It may not end the transaction.
    public func executeScript(_ script: Statement) throws(PostgresError) {
        try perform { () throws(PostgresError) in
            try open()
            try session.runScript(script)
            guard session.isInTransaction else {
                state.wasEnded = true
                throw PostgresError(reason: .usage, message: "the script ended the transaction it runs in")
            }
        }
    }

    /// Streams the rows of a `COPY … TO STDOUT`, one row a call.
    ///
    /// COPY takes no parameters; `set_config` with a bound value, read by `current_setting`, brings them in.
    /// The server waits while the sink works, so memory stays bounded. If the sink throws, the copy is cancelled.
    ///
    /// - Returns: How many rows were copied.
    @discardableResult
    public func copyOut(
        _ statement: Statement, to sink: (UnsafeRawBufferPointer) throws(PostgresError) -> Void
    ) throws(PostgresError) -> Int {
        try perform { () throws(PostgresError) in
            try open()
            return try session.copyOut(statement, to: sink)
        }
    }

    /// Streams chunks into a `COPY … FROM STDIN`, until there is no next one. Chunks need not end where rows do.
    ///
    /// - Returns: How many rows were copied.
    @discardableResult
    public func copyIn(
        _ statement: Statement, from next: () throws(PostgresError) -> [UInt8]?
    ) throws(PostgresError) -> Int {
        try perform { () throws(PostgresError) in
            try open()
            return try session.copyIn(statement, from: next)
        }
    }

    private func open() throws(PostgresError) {
        let opening = try state.takeOpening()
        if !opening.isEmpty { _ = try session.run(opening) }
    }

    // Remembers the first error: a body that swallows it must not seem to have committed.
    private func perform<V>(_ body: () throws(PostgresError) -> V) throws(PostgresError) -> V {
        if let failure = state.failure { throw failure }
        do throws(PostgresError) { return try body() } catch {
            state.failure = error
            throw error
        }
    }
}

/// How far a transaction has come.
final class TransactionState {
    private let options: TransactionOptions
    private(set) var hasBegun = false
    var wasEnded = false
    var failure: PostgresError?

    init(_ options: TransactionOptions) {
        self.options = options
    }

    /// The statements that open the transaction, the first time; none after that.
    func takeOpening() throws(PostgresError) -> [(statement: Statement, parameters: BoundParameters)] {
        guard !hasBegun else { return [] }
        hasBegun = true
        var opening = [(statement: options.begin, parameters: try BoundParameters([]))]
        if let timeout = options.statementTimeout {
            // Not a query, which would take the transaction's snapshot before its body has locked anything.
            opening.append(
                (Statement("SET LOCAL statement_timeout = \(timeout.wholeMilliseconds)"), try BoundParameters([])))
        }
        return opening
    }
}
