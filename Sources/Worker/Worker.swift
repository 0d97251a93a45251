import Accounting
import Ledger
import Logging
import Postgres
import RivyaClient
import ServiceLifecycle

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Brings the tasks of one wallet to their end: sends them, follows them, settles them, and keeps its balance read.
///
/// Any number of workers share a wallet: each leases due tasks for a short time and extends the lease while it has them
/// in hand, so the tasks of a worker that dies are taken by another within seconds. A write under a lease that has gone
/// to another worker changes nothing.
public struct Worker: Service {
    let ledger: Ledger
    let pool: ConnectionPool
    let client: RivyaClient
    let settings: WorkerSettings
    let clock: @Sendable () -> Date
    let logger: Logger
    let lanes = Lanes()
    let outage = Outage()
    let due = Doorbell()
    let balance = Doorbell()

    /// Makes a worker.
    ///
    /// - Parameter clock: Stamps what happens; tasks are due by the database's clock.
    /// - Parameter client: Must not retry by itself (``RivyaClient/RetryPolicy/never``): every attempt is recorded here.
    public init(
        ledger: Ledger, pool: ConnectionPool, client: RivyaClient, settings: WorkerSettings, logger: Logger,
        clock: @escaping @Sendable () -> Date = { Date() }
    ) {
        self.ledger = ledger
        self.pool = pool
        self.client = client
        self.settings = settings
        self.clock = clock
        var logger = logger
        logger[metadataKey: "wallet"] = "\(ledger.wallet.slug)"
        self.logger = logger
    }

    /// Works until graceful shutdown, or until nothing is left where the settings say so. Takes nothing new once
    /// shutdown begins, but finishes what it has: the provider bills it.
    public func run() async throws {
        logger.info("worker started", metadata: ["concurrency": "\(settings.concurrency)"])
        defer { logger.info("worker stopped") }
        let failure = await withGracefulShutdownHandler {
            await withTaskGroup(of: Void.self) { companions in
                companions.addTask { await listen() }
                companions.addTask { await keepLeases() }
                companions.addTask { await keepBalanceRead() }
                let failure = await withDiscardingTaskGroup { hands in await dispatch(to: &hands) }
                companions.cancelAll()
                return failure
            }
        } onGracefulShutdown: {
            due.ring()
        }
        if let failure { throw failure }
    }

    /// Hands out due tasks.
    ///
    /// - Returns: Why it cannot go on, where that is so. Throwing it would cancel the tasks in hand and leave each of
    ///   them in doubt.
    private func dispatch(to hands: inout DiscardingTaskGroup) async -> WorkerError? {
        var failures = 0
        while !Task.isShuttingDownGracefully, !Task.isCancelled {
            if let refused = lanes.takeRefusedKey() {
                guard !settings.stopsWhenIdle else {
                    return .keyRefused(refused, variable: ledger.wallet.apiKeyVariable)
                }
                await pause(refused)
                continue
            }
            do throws(LedgerError) {
                let tasks = try await claim()
                failures = 0
                for task in tasks {
                    hands.addTask {
                        await work(on: task)
                        lanes.drop(task)
                        due.ring()
                    }
                }
                guard tasks.isEmpty else { continue }
                guard let wait = try await timeUntilDue() else { return nil }
                await due.wait(atMost: wait)
            } catch {
                guard error.isTransient else { return Task.isCancelled ? nil : .ledger(error) }
                failures += 1
                outage.goesOn(error, logger)
                await due.wait(atMost: Outage.pause(after: failures))
            }
        }
        return nil
    }

    private func claim() async throws(LedgerError) -> [LeasedTask] {
        let inHand = lanes.leases.keys
        guard inHand.count < settings.concurrency else { return [] }
        let now = try await ledger.databaseTime()
        let end = now + settings.lease.seconds
        let free = settings.concurrency - inHand.count
        let tasks = try await ledger.claim(upTo: free, at: now, leaseUntil: end, except: inHand)
        lanes.take(tasks, until: end)
        outage.isOver(logger)
        return tasks
    }

    /// How long nothing will be due; nil where all is done and the worker is to stop then.
    private func timeUntilDue() async throws(LedgerError) -> Duration? {
        // A lane that becomes free rings.
        guard lanes.count < settings.concurrency else { return settings.lease }
        let next = try await ledger.nextDue()
        if settings.stopsWhenIdle, next.unfinished == 0, lanes.count == 0 { return nil }
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

    /// Wakes the dispatcher when the guard admits a task.
    private func listen() async {
        var failures = 0
        while !Task.isCancelled {
            let start = ContinuousClock.now
            do throws(PostgresError) {
                try await pool.withConnection { connection throws(PostgresError) in
                    try await connection.listen(to: "usage_work")
                    due.ring()
                    while !Task.isCancelled {
                        let news = try await connection.notifications(waitingUpTo: .seconds(60))
                        if news.contains(where: { $0.payload == String(ledger.wallet.id) }) { due.ring() }
                    }
                }
            } catch {
                failures = ContinuousClock.now - start > .seconds(60) ? 1 : failures + 1
                try? await Task.sleep(for: Outage.pause(after: failures))
            }
        }
    }

    private func keepLeases() async {
        var failures = 0
        while !Task.isCancelled {
            let pause = settings.lease / 3
            try? await Task.sleep(for: failures == 0 ? pause : min(pause, Outage.pause(after: failures)))
            let leases = lanes.leases
            guard !leases.isEmpty, !Task.isCancelled else { continue }
            do throws(LedgerError) {
                let end = moment(after: settings.lease)
                let held = try await ledger.extend(leases, until: end)
                lanes.extend(held, until: end)
                failures = 0
                if held.count < leases.count {
                    // Some have been given back meanwhile; a task that another worker took is fenced off.
                    logger.debug("leases ended", metadata: ["count": "\(leases.count - held.count)"])
                }
            } catch {
                failures += 1
                outage.goesOn(error, logger)
            }
        }
    }
}

extension Worker {
    /// When something is to be done that is to be done after a wait, by the database's clock.
    func moment(after wait: Duration) -> Date { ledger.databaseClock.now() + wait.seconds }
}

extension Duration {
    /// The duration in seconds, as dates are counted.
    var seconds: Double { self / .seconds(1) }
}
