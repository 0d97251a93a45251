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

    /// Runs statements in one transaction and one round trip.
    func pipeline(_ steps: [PipelineStep]) throws(PostgresError) -> [Rows] {
        let bound = try bind(steps)
        do throws(PostgresError) { return try run(bound) } catch { throw isBroken ? error.withUnknownOutcome : error }
    }

    /// Runs statements that only read in one transaction and one round trip.
    func snapshot(_ steps: [PipelineStep]) throws(PostgresError) -> [Rows] {
        let begin = TransactionOptions(isolation: .repeatableRead, readOnly: true).begin
        let bound = try bind([PipelineStep(begin)] + steps + [PipelineStep("COMMIT")])
        do throws(PostgresError) { return Array(try run(bound).dropFirst().dropLast()) } catch {
            rollBack()
            throw error
        }
    }

    /// Runs pipelines in the order in which they are taken, each in a transaction of its own, and sends the next while
    /// one is under way.
    ///
    /// No cancel request is ever sent: it could hit the pipeline behind the one it is meant for. Each statement has its
    /// time limit on the server, and where that does not help, the connection is given up.
    ///
    /// - Parameter next: The next one to be sent, if there is one; asked again whenever the thread is woken.
    /// - Returns: The first error. Nothing was taken after it.
    func pipelines(_ next: () -> Pipeline?) -> PostgresError? {
        var underWay: [(pipeline: Pipeline, sent: [Sent])] = []
        var (taken, failure): (Int, PostgresError?) = (0, nil)
        func sendWhatIsDue() throws(PostgresError) {
            while failure == nil, underWay.count < Pipeline.mostUnderWay, taken < Pipeline.mostInTurn,
                !statements.isFull, !Task.isCancelled, let pipeline = next()
            {
                taken += 1
                do throws(PostgresError) {
                    let bound = try bind(pipeline.steps)
                    underWay.append((pipeline, []))
                    underWay[underWay.count - 1].sent = try send(bound)
                } catch {
                    guard !isBroken else { throw error }
                    failure = error
                    pipeline.answer(.failure(error))
                }
            }
        }
        do throws(PostgresError) {
            try makeRoomForStatements()
            guard PQenterPipelineMode(connection) == 1 else { throw lost() }
            try sendWhatIsDue()
            while let (pipeline, sent) = underWay.first {
                try beginWatch(heedsCancellation: false, mayCancel: false)
                let outcome = try receive(sent, meanwhile: sendWhatIsDue)
                underWay.removeFirst()
                if case .failure(let error) = outcome { failure = failure ?? error }
                pipeline.answer(outcome)
                try sendWhatIsDue()
                // Whoever was answered may ask again at once, and need not come through the pool for it.
                if underWay.isEmpty, failure == nil, waitToBeWoken(atMost: .milliseconds(1)) { try sendWhatIsDue() }
            }
            guard PQexitPipelineMode(connection) == 1 else { throw lost() }
        } catch {
            abandon()
            failure = failure ?? error
            for (pipeline, _) in underWay { pipeline.answer(.failure(error.withUnknownOutcome)) }
        }
        return failure
    }

    private func bind(
        _ steps: [PipelineStep]
    ) throws(PostgresError) -> [(statement: Statement, parameters: BoundParameters)] {
        var bound: [(statement: Statement, parameters: BoundParameters)] = []
        for step in steps { bound.append((step.statement, try BoundParameters(step.parameters))) }
        return bound
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
