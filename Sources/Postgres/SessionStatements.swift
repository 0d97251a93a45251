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
        try makeRoomForStatements()
        try beginWatch(heedsCancellation: heedsCancellation)
        defer { endWatch() }
        guard PQenterPipelineMode(connection) == 1 else { throw lost() }
        let outcome = try receive(send(steps))
        guard PQexitPipelineMode(connection) == 1 else { throw lost() }
        return try outcome.get()
    }

    /// Lets go of all prepared statements where there are too many; nothing may be under way.
    func makeRoomForStatements() throws(PostgresError) {
        guard statements.isFull else { return }
        try runScript("DEALLOCATE ALL")
        statements.removeAll()
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
    ///
    /// - Parameter meanwhile: Runs before each wait; one ends when something arrives, or when the thread is woken.
    func nextResult(
        meanwhile: () throws(PostgresError) -> Void = {}
    ) throws(PostgresError) -> OpaquePointer? {
        while PQisBusy(connection) == 1 && !isBroken {
            try meanwhile()
            try waitForServer()
        }
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

    /// What an answer is owed to.
    enum Sent {
        case preparation(StatementCache.Key, name: String)
        case execution(StatementCache.Key, of: Statement)
    }

    /// Queues statements and the sync that ends them, and hands over what the system takes.
    ///
    /// In pipeline mode all that is sent up to a sync is one transaction, which the sync commits.
    func send(_ steps: [(statement: Statement, parameters: BoundParameters)]) throws(PostgresError) -> [Sent] {
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
                guard PQsendPrepare(connection, name, statement.sql, count, parameters.types) == 1 else { throw lost() }
                sent.append(.preparation(key, name: name))
            }
            FailurePoint.reach("before \(statement.name)", beforeDying: handOver)
            let queued = parameters.withPointers { values, lengths, formats in
                PQsendQueryPrepared(connection, name, Int32(values.count), values, lengths, formats, 1)
            }
            guard queued == 1 else { throw lost() }
            sent.append(.execution(key, of: statement))
        }
        guard PQpipelineSync(connection) == 1 else { throw lost() }
        FailurePoint.reach("sent \(steps.last?.statement.name ?? "")", beforeDying: handOver)
        return sent
    }

    /// Takes in the answers to what was sent up to a sync, and to the sync.
    ///
    /// - Parameter meanwhile: Runs before each wait.
    /// - Returns: The rows of each statement, or the first error; the connection goes on all the same.
    /// - Throws: What broke the connection.
    func receive(
        _ sent: [Sent], meanwhile: () throws(PostgresError) -> Void = {}
    ) throws(PostgresError) -> Result<[Rows], PostgresError> {
        var answers: [Rows] = []
        var failure: PostgresError?
        var last: Statement?
        for item in sent {
            // The last one is over with the sync, which commits it.
            if let last { FailurePoint.reach("after \(last.name)") }
            last = if case .execution(_, let statement) = item { statement } else { nil }
            while let result = try nextResult(meanwhile: meanwhile) {
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
                    if case .execution(let key, _) = item, error.asError.isStalePlan { statements.remove(key) }
                }
            }
            if isBroken, let failure { throw failure }
        }
        let refusal = try receiveSync(meanwhile: meanwhile)
        if let last { FailurePoint.reach("after \(last.name)") }
        return (failure ?? refusal).map { .failure($0) } ?? .success(answers)
    }

    /// Takes in the answer to a sync.
    ///
    /// - Returns: Why the transaction could not be committed, such as a constraint that is checked at its end.
    private func receiveSync(meanwhile: () throws(PostgresError) -> Void) throws(PostgresError) -> PostgresError? {
        var failure: PostgresError?
        // An error is a result of its own, which ends with a nil; then comes the sync.
        for _ in 0..<3 {
            guard let result = try nextResult(meanwhile: meanwhile) else { continue }
            defer { PQclear(result) }
            switch PQresultStatus(result) {
            case PGRES_PIPELINE_SYNC: return failure
            case PGRES_FATAL_ERROR: failure = failure ?? explain(ServerError(result))
            default: break
            }
            if isBroken, let failure { throw failure }
        }
        throw lost()
    }
}
