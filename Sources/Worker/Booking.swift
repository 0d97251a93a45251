import Accounting
import Ledger
import Logging
import Postgres
import RivyaClient

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

extension LedgerError {
    /// Whether a worker goes on in spite of it. Somebody who cancels one statement on the server has not stopped the worker.
    var isPassing: Bool {
        if case .database(let error) = self, error.sqlState == "57014" { true } else { isTransient }
    }
}

extension Worker {
    /// Books a fact, waiting for the database as long as it takes: what the provider said is not said twice.
    ///
    /// - Returns: nil if the books turned it away for good, or the worker was killed while it waited.
    func persist<Value: Sendable>(
        _ fact: @Sendable () async throws(LedgerError) -> Value
    ) async -> Value? {
        for attempt in 1... {
            do throws(LedgerError) {
                let value = try await fact()
                outage.isOver(logger)
                return value
            } catch {
                guard !Task.isCancelled else { return nil }
                guard error.isPassing else {
                    logger.error("the books do not take an entry", metadata: ["error": "\(error)"])
                    return nil
                }
                outage.goesOn(error, logger)
                try? await Task.sleep(for: Outage.pause(after: attempt))
            }
        }
        return nil
    }

    func settle(_ settlement: Settlement) async {
        let outcome = await persist { () throws(LedgerError) in try await ledger.settle(settlement) }
        logger.info(
            "task settled",
            metadata: [
                "task.id": "\(settlement.taskID)", "outcome": "\(settlement.outcome)",
                "charged": "\(settlement.charged.amount)",
                "booked": "\(outcome?.rawValue ?? "no")",
            ])
    }

    /// Gives a task back, together with others; without a state, it stays where it is.
    func giveBack(_ task: LeasedTask, _ state: Schedule.State?, at dueAt: Date?, polled: Bool = false) {
        returns.add(
            Schedule(
                taskID: task.id, leaseToken: task.leaseToken, state: task.isSettled ? .settled : state ?? .accepted,
                dueAt: dueAt, polled: polled))
    }

    func record(_ task: LeasedTask?, _ act: RecordedError.Act, attempt: Int, _ error: RivyaError) async {
        await record(
            task, act, attempt: attempt, code: error.code, httpStatus: error.httpStatus, requestID: error.requestID,
            message: error.message)
    }

    func record(
        _ task: LeasedTask?, _ act: RecordedError.Act, attempt: Int, code: String, httpStatus: Int? = nil,
        requestID: String? = nil, message: String, at occurredAt: Date? = nil
    ) async {
        let error = RecordedError(
            taskID: task?.id, act: act, attempt: attempt, code: code, httpStatus: httpStatus, requestID: requestID,
            message: message, occurredAt: occurredAt ?? clock())
        await persist { () throws(LedgerError) in try await ledger.record(error) }
    }
}
