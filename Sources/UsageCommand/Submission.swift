import Accounting
import Ledger
import RivyaClient
import Worker

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Brings drafts past the guard and into the queue.
struct Submission: Sendable {
    let ledger: Ledger
    /// For uploads; nil where no draft has references.
    let client: RivyaClient?

    /// What became of a draft.
    enum Outcome: Sendable {
        /// Its credits are held, or were when the same request came first.
        case queued(Reservation, isRepeated: Bool)
        /// Nothing is held, by what was left now, or when the same request came first.
        case refused(Refusal, isRepeated: Bool)
        case failed(String)
    }

    /// Asks the guard, uploads what has to be uploaded, and lets the worker have the task.
    func submit(_ draft: Draft) async -> Outcome {
        do {
            let submission = try draft.submission(TaskID.make(at: SystemClock.now), at: SystemClock.now)
            switch try await reserve(submission) {
            case .refused(let refusal):
                return .refused(refusal, isRepeated: refusal.taskID != submission.taskID)
            case .reserved(let reservation):
                if !draft.references.isEmpty { try await upload(draft, for: reservation.taskID) }
                return .queued(reservation, isRepeated: reservation.taskID != submission.taskID)
            }
        } catch {
            return .failed(Check.shown("\(error)", limit: 1000))
        }
    }

    /// Asks the guard, and for two seconds again where the answer was lost: the same request gets the first answer.
    private func reserve(_ submission: TaskSubmission) async throws -> ReservationOutcome {
        do throws(LedgerError) { return try await ledger.reserve(submission) } catch {
            guard error.outcomeIsUnknown else { throw error }
        }
        let end = ContinuousClock.now + .seconds(2)
        while true {
            try await Task.sleep(for: .milliseconds(Int.random(in: 100...300)))
            do throws(LedgerError) { return try await ledger.reserve(submission) } catch {
                guard error.isTransient else { throw error }
                guard ContinuousClock.now < end else {
                    throw Mistake(
                        "PostgreSQL was lost before it answered. Whether the task was queued is not known; when it is back, see: usage task \(submission.taskID)"
                    )
                }
            }
        }
    }

    /// Uploads references after the guard's yes, and completes the task's request with their URLs. A task that was left
    /// at this point is taken up again when it is submitted again with the same `client_request_id`.
    private func upload(_ draft: Draft, for task: TaskID) async throws {
        guard let client, try await ledger.task(task)?.body == nil else { return }
        var uploaded: [MediaReference] = []
        for file in draft.references {
            do throws(RivyaError) {
                let answer = try await client.upload(
                    file, model: draft.request.model, clientRequestID: task.description)
                uploaded.append(MediaReference(file, uploaded: answer))
            } catch {
                throw try await recordFailedUpload(of: file, for: task, draft, error)
            }
        }
        _ = try await ledger.store(request: draft.body(of: task, references: uploaded), of: task, at: SystemClock.now)
    }

    private func recordFailedUpload(
        of file: ReferenceFile, for task: TaskID, _ draft: Draft, _ error: RivyaError
    ) async throws -> Mistake {
        try await ledger.record(
            RecordedError(
                taskID: task, act: .upload, attempt: error.attempts, code: error.code, httpStatus: error.httpStatus,
                requestID: error.requestID, message: error.message, occurredAt: SystemClock.now))
        if case .refused(.validationFailed) = error.failure {
            // The provider will not take this file, so the task can never be sent; nothing was, so all is released.
            _ = try await ledger.settle(
                Settlement(
                    taskID: task, leaseToken: 0, outcome: .rejected, charged: .zero, errorCode: error.code,
                    settledAt: SystemClock.now))
            return Mistake("The provider refuses \(file.name): \(error.message) The credits were released.")
        }
        let again =
            draft.clientRequestID.map { "submit it again with --client-request-id \($0)" }
            ?? "resolve it: usage task resolve \(task) --released --reason … --by …"
        return Mistake("\(file.name) could not be uploaded (\(error)); the credits stay held: \(again)")
    }
}
