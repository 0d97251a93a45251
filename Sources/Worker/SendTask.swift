import Accounting
import Ledger
import Logging
import RivyaClient

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

extension Worker {
    /// One visit to a task: sends it or asks how it stands, and books what the provider said.
    func work(on task: LeasedTask) async {
        if let providerTaskID = task.providerTaskID {
            await follow(task, as: providerTaskID)
        } else if let body = task.body {
            await send(task, body)
        } else {
            giveBack(task, .queued, at: nil)
        }
    }

    private func send(_ task: LeasedTask, _ body: [UInt8]) async {
        // One that was stopped for long after it took the task: another worker may have sent it, and brought it to its
        // end, and nobody says how long the provider remembers its key.
        guard lanes.holds(task, at: ledger.databaseClock.now()) else {
            logger.notice("the lease ended before the task was sent", metadata: ["task.id": "\(task.id)"])
            return
        }
        do throws(RivyaError) {
            let generation = try await client.createGeneration(body: body, idempotencyKey: task.id.description)
            await accept(task, generation)
        } catch {
            await recordFailedCreate(of: task, error)
        }
    }

    private func accept(_ task: LeasedTask, _ generation: Generation) async {
        var generator = SystemRandomNumberGenerator()
        // A task may come back ended: it failed for want of credits, or an earlier request for it was taken.
        let delay =
            generation.status.isTerminal ? .zero : settings.polling.delay(polls: 0, age: .zero, using: &generator)
        let acceptance = Acceptance(
            taskID: task.id, providerTaskID: generation.id, reserved: generation.reservedCredits.map(Credits.init),
            acceptedAt: generation.createdAt ?? clock(), pollAt: moment(after: delay))
        let outcome = await persist { () throws(LedgerError) in try await ledger.accept(acceptance) }
        switch outcome {
        case .otherProviderTask:
            // Two provider tasks under one key: a person has to look.
            await record(
                task, .create, attempt: task.attempts, code: "other_provider_task",
                message: "the provider now calls it \(generation.id)")
        case .providerTaskOfAnother:
            // The answer belonged to another request, so whether this one was taken is not known.
            await recordFailedCreate(
                of: task,
                RivyaError(failure: .unreadableAnswer, message: "it names \(generation.id), which is another task"))
        case .accepted, .alreadyAccepted, .unknownTask, nil: break
        }
    }

    private func recordFailedCreate(of task: LeasedTask, _ error: RivyaError) async {
        let verdict = CreationVerdict(error, isInDoubt: task.isInDoubt)
        await record(task, .create, attempt: task.attempts, error)
        logger.notice(
            "create request failed",
            metadata: ["task.id": "\(task.id)", "code": "\(error.code)", "attempt": "\(task.attempts)"])
        switch verdict {
        case .reject:
            await settle(
                Settlement(
                    taskID: task.id, leaseToken: task.leaseToken, outcome: .rejected, charged: .zero,
                    errorCode: error.code,
                    settledAt: clock()))
        case .sendAgain:
            giveBack(task, .queued, at: retryTime(after: task.attempts, error))
        case .keyRefused:
            lanes.refuseKey(error)
            giveBack(
                task, task.isInDoubt ? .unknown : .queued, at: moment(after: settings.retry.maximumDelay))
        case .doubt:
            let isLate =
                task.firstSentAt.map { ledger.databaseClock.now() > $0 + settings.resendWindow.seconds } ?? false
            giveBack(task, .unknown, at: isLate ? nil : retryTime(after: task.attempts, error))
        case .review:
            giveBack(task, .unknown, at: nil)
        }
        if error.failure == .refused(.insufficientCredits) { balance.ring() }
    }

    func retryTime(after attempts: Int, _ error: RivyaError) -> Date {
        var generator = SystemRandomNumberGenerator()
        return moment(
            after: settings.retry.delay(afterAttempt: attempts, retryAfter: error.retryAfter, using: &generator))
    }
}
