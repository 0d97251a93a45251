import CLibpq

extension Session {
    /// Whether the server has a transaction open that has not failed.
    var isInTransaction: Bool { !isBroken && PQtransactionStatus(connection) == PQTRANS_INTRANS }

    /// Runs a body between BEGIN and COMMIT, or ROLLBACK if it or one of its statements fails.
    func transaction<V>(
        _ options: TransactionOptions, _ body: (Transaction) throws(PostgresError) -> V
    ) throws(PostgresError) -> V {
        let usualTimeout = statementTimeout
        statementTimeout = options.statementTimeout ?? usualTimeout
        defer { statementTimeout = usualTimeout }
        let state = TransactionState(options)
        let value: V
        do throws(PostgresError) {
            value = try body(Transaction(session: self, state: state))
            if let failure = state.failure { throw failure }
            if state.hasBegun && Task.isCancelled {
                throw PostgresError(reason: .cancelled, message: "the task was cancelled; nothing was committed")
            }
        } catch {
            rollBack()
            throw error
        }
        if state.hasBegun { try commit() }
        return value
    }

    /// Runs statements between BEGIN and COMMIT, all in one round trip.
    func pipeline(_ steps: [PipelineStep]) throws(PostgresError) -> [Rows] {
        var all = [(statement: TransactionOptions().begin, parameters: try BoundParameters([]))]
        for step in steps { all.append((step.statement, try BoundParameters(step.parameters))) }
        let first = steps.first?.statement.name ?? "nothing"
        all.append((Statement("COMMIT", name: "COMMIT of \(first)"), try BoundParameters([])))
        do throws(PostgresError) {
            let answers = try run(all)
            return Array(answers.dropFirst().dropLast())
        } catch {
            if !isBroken { rollBack() }
            throw isBroken ? error.withUnknownOutcome : error
        }
    }

    /// Leaves nothing open on the server; a connection on which that fails is given up.
    func rollBack() {
        guard !isBroken, !isIdle else { return }
        do throws(PostgresError) { try runScript("ROLLBACK", heedsCancellation: false) } catch { abandon() }
        if !isIdle { abandon() }
    }

    private func commit() throws(PostgresError) {
        do throws(PostgresError) {
            let answer = try run([("COMMIT", BoundParameters([]))], heedsCancellation: false)
            guard answer.first?.command == "COMMIT" else {
                throw PostgresError(reason: .server, message: "PostgreSQL rolled the transaction back")
            }
        } catch {
            guard isBroken else {
                rollBack()
                throw error
            }
            throw error.withUnknownOutcome
        }
    }
}

extension PostgresError {
    /// The same error, telling that the commit may have happened.
    fileprivate var withUnknownOutcome: PostgresError {
        PostgresError(
            reason: reason, sqlState: sqlState, constraint: constraint, outcomeIsUnknown: true,
            message: "\(message); whether the transaction was committed is not known")
    }
}
