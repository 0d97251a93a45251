import Logging

/// Lends a bounded number of connections, first come, first served.
public final class ConnectionPool: Sendable {
    private let slots: ConnectionSlots

    /// Makes a pool; connections are opened when they are needed.
    public init(_ configuration: PostgresConfiguration, logger: Logger) {
        precondition(configuration.maximumConnections >= 1, "a pool has at least one connection")
        slots = ConnectionSlots(configuration, logger: logger)
    }

    /// Lends a connection to a body, and takes it back clean whatever the body does.
    ///
    /// - Throws: What the body throws, or a ``PostgresError`` with the reason `poolExhausted` if none became free.
    public func withConnection<V: Sendable>(
        _ body: @Sendable (Connection) async throws(PostgresError) -> V
    ) async throws(PostgresError) -> V {
        let connection = try await slots.acquire()
        let outcome: Result<V, PostgresError>
        do throws(PostgresError) { outcome = .success(try await body(connection)) } catch { outcome = .failure(error) }
        connection.isLent = false
        if connection.needsCleaning { await connection.clean() }
        slots.release(connection)
        return try outcome.get()
    }

    /// Runs one statement and returns its rows, all of them in memory.
    public func query(
        _ statement: Statement, _ parameters: any PostgresEncodable...
    ) async throws(PostgresError) -> Rows {
        try await query(statement, parameters: parameters)
    }

    /// Runs one statement with values that are already in an array, and returns its rows.
    public func query(
        _ statement: Statement, parameters: [any PostgresEncodable]
    ) async throws(PostgresError) -> Rows {
        try await withConnection { (connection) throws(PostgresError) in
            try await connection.query(statement, parameters: parameters)
        }
    }

    /// Runs one statement and returns how many rows it added, changed or deleted.
    @discardableResult
    public func execute(
        _ statement: Statement, _ parameters: any PostgresEncodable...
    ) async throws(PostgresError) -> Int {
        try await query(statement, parameters: parameters).affectedRows
    }

    /// Runs a body in a transaction; see ``Connection/transaction(_:_:)``.
    public func transaction<V: Sendable>(
        _ options: TransactionOptions = .init(),
        _ body: @Sendable (Transaction) throws(PostgresError) -> V
    ) async throws(PostgresError) -> V {
        try await withConnection { (connection) throws(PostgresError) in
            try await connection.transaction(options, body)
        }
    }

    /// Runs statements in one transaction and one round trip; see ``Connection/pipeline(_:)``.
    @discardableResult
    public func pipeline(_ steps: [PipelineStep]) async throws(PostgresError) -> [Rows] {
        try await withConnection { (connection) throws(PostgresError) in try await connection.pipeline(steps) }
    }

    /// Runs statements that only read, in one round trip; see ``Connection/snapshot(_:)``.
    public func snapshot(_ steps: [PipelineStep]) async throws(PostgresError) -> [Rows] {
        try await withConnection { (connection) throws(PostgresError) in try await connection.snapshot(steps) }
    }

    /// Refuses further callers, waits until all connections are back, and closes them.
    public func close() async {
        await slots.close()
    }
}
