import Ledger
import Logging
import RivyaClient
import ServiceLifecycle

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

extension Worker {
    /// How long the queue is left alone between two looks, so that tasks are taken and given back in groups.
    private static let breath = Duration.milliseconds(20)

    /// Hands out due tasks.
    ///
    /// - Returns: Why it cannot go on, where that is so. Throwing it would cancel the tasks in hand and leave each of
    ///   them in doubt.
    func dispatch(to hands: inout DiscardingTaskGroup) async -> WorkerError? {
        var failures = 0
        while !Task.isShuttingDownGracefully, !Task.isCancelled {
            if let refused = lanes.takeRefusedKey() {
                guard !settings.stopsWhenIdle else {
                    return .keyRefused(refused, variable: ledger.wallet.apiKeyVariable)
                }
                await pause(refused)
                continue
            }
            let free = settings.concurrency - lanes.count
            guard free > 0 else {
                // A lane that becomes free rings.
                await due.wait(atMost: settings.lease)
                continue
            }
            do throws(LedgerError) {
                let tasks = try await claim(upTo: free)
                failures = 0
                for task in tasks {
                    hands.addTask {
                        await work(on: task)
                        lanes.drop(task)
                        due.ring()
                    }
                }
                guard tasks.count < free else {
                    await waitForFreeLanes()
                    continue
                }
                try? await Task.sleep(for: Self.breath)
                guard !due.takeRing() else { continue }
                guard let wait = try await timeUntilDue() else { return nil }
                await due.wait(atMost: wait)
            } catch {
                guard error.isPassing else { return Task.isCancelled ? nil : .ledger(error) }
                failures += 1
                outage.goesOn(error, logger)
                await due.wait(atMost: Outage.pause(after: failures))
            }
        }
        return nil
    }

    private func claim(upTo free: Int) async throws(LedgerError) -> [LeasedTask] {
        let now = try await ledger.databaseTime()
        let end = now + settings.lease.seconds
        let tasks = try await ledger.claim(upTo: free, at: now, leaseUntil: end, except: lanes.leases.keys)
        lanes.take(tasks, until: end)
        outage.isOver(logger)
        return tasks
    }

    /// More is due than there are lanes: waits until it is worth looking again, which a single lane is not unless the
    /// others stay busy.
    private func waitForFreeLanes() async {
        let end = ContinuousClock.now + Self.breath
        while !Task.isCancelled, ContinuousClock.now < end,
            settings.concurrency - lanes.count < max(1, settings.concurrency / 4)
        {
            await due.wait(atMost: end - .now)
        }
    }

    /// How long nothing will be due; nil where all is done and the worker is to stop then.
    private func timeUntilDue() async throws(LedgerError) -> Duration? {
        let next = try await ledger.nextDue()
        if settings.stopsWhenIdle, !next.isUnfinished, lanes.count == 0 { return nil }
        // A wake-up may be lost with its connection, so even an idle worker looks again now and then.
        guard let dueAt = next.dueAt else { return settings.lease }
        return min(settings.lease, max(.milliseconds(10), .seconds(dueAt.timeIntervalSince(next.now))))
    }

    /// Takes nothing for a while: the key would be refused for the next task too.
    private func pause(_ refused: RivyaError) async {
        logger.error("the provider refuses the API key; tasks stay queued", metadata: ["code": "\(refused.code)"])
        let end = ContinuousClock.now + settings.retry.maximumDelay
        while !Task.isShuttingDownGracefully, !Task.isCancelled, ContinuousClock.now < end {
            await due.wait(atMost: end - ContinuousClock.now)
        }
        // The tasks that were in hand were refused as well; that is no news.
        _ = lanes.takeRefusedKey()
    }

    /// Gives visited tasks back until no more come. They are in no hurry: their leases outlast the wait.
    func giveBackReturns() async {
        var isLast = false
        while !isLast, !Task.isCancelled {
            await returns.wait()
            isLast = returns.isClosed
            if !isLast { try? await Task.sleep(for: Self.breath) }
            await giveBack(returns.take())
        }
    }

    private func giveBack(_ schedules: [Schedule]) async {
        guard !schedules.isEmpty else { return }
        let isBooked = await persist { () throws(LedgerError) in try await ledger.schedule(schedules) } != nil
        // One that the books do not take spoils only itself.
        if !isBooked, schedules.count > 1 { for schedule in schedules { await giveBack([schedule]) } }
        // They may be due before the dispatcher would look.
        due.ring()
    }
}
