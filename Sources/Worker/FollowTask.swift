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
    func follow(_ task: LeasedTask, as providerTaskID: String) async {
        do throws(RivyaError) {
            let generation = try await client.generation(id: providerTaskID)
            await book(task, generation)
        } catch {
            await record(task, .status, attempt: task.polls + 1, error)
            switch error.failure {
            case .refused(.notFound) where age(of: task) > settings.resendWindow:
                // The provider denies a task that it accepted: a person has to look.
                giveBack(task, .unknown, at: nil)
            case _ where error.isKeyRefused:
                lanes.refuseKey(error)
                giveBack(task, nil, at: moment(after: settings.retry.maximumDelay))
            default:
                // Counted as well, so that the wait grows while the provider fails.
                giveBack(
                    task, nil, at: max(nextPoll(of: task), retryTime(after: task.polls + 1, error)), polled: true)
            }
        }
    }

    private func book(_ task: LeasedTask, _ generation: Generation) async {
        guard generation.status.isTerminal else {
            if case .unknown(let status) = generation.status {
                logger.warning("unknown task status", metadata: ["task.id": "\(task.id)", "status": "\(status)"])
            }
            return giveBack(task, nil, at: nextPoll(of: task), polled: true)
        }
        // A terminal status without final credits settles nothing: a refund is not assumed.
        guard let final = generation.finalCredits else {
            await record(
                task, .status, attempt: task.polls + 1, code: "unreadable_answer",
                message: "the task has ended as \(generation.status.rawValue) without final_credits")
            return giveBack(task, nil, at: nextPoll(of: task), polled: true)
        }
        if generation.status == .failed, !task.isSettled {
            let code = generation.error?.code.rawValue ?? "unknown"
            await record(
                task, .task, attempt: 1, code: code,
                message: generation.error?.message ?? "the provider gave no reason",
                at: generation.updatedAt)
        }
        await settle(
            Settlement(
                taskID: task.id, leaseToken: task.leaseToken,
                outcome: generation.status == .succeeded ? .succeeded : .failed,
                charged: Credits(final), errorCode: generation.error?.code.rawValue, resultURLs: generation.resultURLs,
                settledAt: generation.updatedAt ?? clock(),
                recheckAt: generation.status == .failed ? moment(after: settings.recheckDelay) : nil))
        if generation.error?.code == .insufficientCredits { balance.ring() }
    }

    private func age(of task: LeasedTask) -> Duration {
        .seconds(task.acceptedAt.map { max(0, ledger.databaseClock.now().timeIntervalSince($0)) } ?? 0)
    }

    private func nextPoll(of task: LeasedTask) -> Date {
        var generator = SystemRandomNumberGenerator()
        return moment(
            after: settings.polling.delay(polls: max(1, task.polls), age: age(of: task), using: &generator))
    }
}
