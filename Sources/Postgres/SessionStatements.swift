import CLibpq
import FailurePoints

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

extension Session {
    /// Runs statements in one round trip, each prepared once per connection.
    ///
    /// The first one that fails skips the rest, and its error is thrown once the connection is ready again.
    func run(
        _ steps: [(statement: Statement, parameters: BoundParameters)], heedsCancellation: Bool = true
    ) throws(PostgresError) -> [Rows] {
        if statements.isFull {
            try runScript("DEALLOCATE ALL")
            statements.removeAll()
        }
        try beginWatch(heedsCancellation: heedsCancellation)
        defer { endWatch() }
        guard PQenterPipelineMode(connection) == 1 else { throw lost() }
        let sent = send(steps)
        guard let sent, PQpipelineSync(connection) == 1 else { throw lost() }
        let last = steps.last?.statement.name ?? ""
        FailurePoint.reach("sent \(last)", beforeDying: handOver)
        let outcome = try receive(sent)
        FailurePoint.reach("after \(last)")
        guard PQexitPipelineMode(connection) == 1 else { throw lost() }
        return try outcome.get()
    }

    /// Runs any number of statements without parameters, in the simple protocol.
    func runScript(_ script: Statement, heedsCancellation: Bool = true) throws(PostgresError) {
        guard !script.sql.utf8.contains(0) else { throw .unencodable("an SQL text holds the character U+0000") }
        try beginWatch(heedsCancellation: heedsCancellation)
        defer { endWatch() }
        FailurePoint.reach("before \(script.name)")
        guard PQsendQuery(connection, script.sql) == 1 else { throw lost() }
        FailurePoint.reach("sent \(script.name)", beforeDying: handOver)
        var failure: PostgresError?
        while let result = try nextResult() {
            defer { PQclear(result) }
            switch PQresultStatus(result) {
            case PGRES_COPY_IN, PGRES_COPY_OUT, PGRES_COPY_BOTH: throw copyIsNotAStatement()
            case PGRES_FATAL_ERROR, PGRES_BAD_RESPONSE: failure = failure ?? explain(ServerError(result))
            default: break
            }
        }
        FailurePoint.reach("after \(script.name)")
        if let failure { throw failure }
    }

    /// The next answer of the server, `nil` after the last one of a statement. The caller clears it.
    func nextResult() throws(PostgresError) -> OpaquePointer? {
        while PQisBusy(connection) == 1 && !isBroken { try waitForServer() }
        let result = PQgetResult(connection)
        if result == nil && (isBroken || PQstatus(connection) == CONNECTION_BAD) { throw lost() }
        progress()
        return result
    }

    /// A COPY was sent as an ordinary statement. The protocol is then in a state only a new connection gets out of.
    func copyIsNotAStatement() -> PostgresError {
        abandon()
        return PostgresError(reason: .usage, message: "COPY is run with copyIn or copyOut")
    }

    /// Hands over what is queued, as the system may have done by itself when a process dies in the middle.
    func handOver() {
        while PQflush(connection) == 1 { _ = poll(nil, 0, 1) }
    }

    private enum Sent {
        case preparation(StatementCache.Key, name: String)
        case execution(StatementCache.Key, of: Statement)
    }

    // Queues the messages; nil when libpq refuses, which leaves the connection unusable.
    private func send(_ steps: [(statement: Statement, parameters: BoundParameters)]) -> [Sent]? {
        var sent: [Sent] = []
        var fresh: [StatementCache.Key: String] = [:]
        for (statement, parameters) in steps {
            let key = StatementCache.Key(sql: statement.sql, types: parameters.types)
            let name: String
            if let known = statements.name(for: key) ?? fresh[key] {
                name = known
            } else {
                precondition(!statement.sql.utf8.contains(0), "an SQL text holds the character U+0000")
                name = statements.makeName()
                fresh[key] = name
                let count = Int32(parameters.types.count)
                guard PQsendPrepare(connection, name, statement.sql, count, parameters.types) == 1 else { return nil }
                sent.append(.preparation(key, name: name))
            }
            FailurePoint.reach("before \(statement.name)", beforeDying: handOver)
            let queued = parameters.withPointers { values, lengths, formats in
                PQsendQueryPrepared(connection, name, Int32(values.count), values, lengths, formats, 1)
            }
            guard queued == 1 else { return nil }
            sent.append(.execution(key, of: statement))
        }
        return sent
    }

    private func receive(_ sent: [Sent]) throws(PostgresError) -> Result<[Rows], PostgresError> {
        var answers: [Rows] = []
        var failure: PostgresError?
        for (index, item) in sent.enumerated() {
            while let result = try nextResult() {
                defer { PQclear(result) }
                switch (PQresultStatus(result), item) {
                case (PGRES_COMMAND_OK, .preparation(let key, let name)): statements.insert(key, name: name)
                case (PGRES_COMMAND_OK, .execution), (PGRES_TUPLES_OK, _), (PGRES_EMPTY_QUERY, _):
                    answers.append(Rows(result))
                case (PGRES_COPY_IN, _), (PGRES_COPY_OUT, _), (PGRES_COPY_BOTH, _): throw copyIsNotAStatement()
                case (PGRES_PIPELINE_ABORTED, _): break
                default:
                    let error = ServerError(result)
                    failure = failure ?? explain(error)
                    // The plan is out of date, or the statement gone: prepare it again next time.
                    if case .execution(let key, _) = item, ["0A000", "26000"].contains(error.sqlState) {
                        statements.remove(key)
                    }
                }
            }
            if isBroken, let failure { throw failure }
            // The last one is over with the sync below, which commits it where it stands alone.
            if index < sent.count - 1, case .execution(_, let statement) = item {
                FailurePoint.reach("after \(statement.name)")
            }
        }
        if let sync = try nextResult() {
            // A deferred constraint may fail here, where the statements' own transaction ends.
            if PQresultStatus(sync) == PGRES_FATAL_ERROR { failure = failure ?? explain(ServerError(sync)) }
            PQclear(sync)
        }
        return failure.map { .failure($0) } ?? .success(answers)
    }
}
