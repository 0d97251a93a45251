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
    let due = Doorbell()
    let balance = Doorbell()

    /// Makes a worker.
    ///
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
        try await withGracefulShutdownHandler {
            try await withThrowingTaskGroup(of: Void.self) { companions in
                companions.addTask { await listen() }
                companions.addTask { await keepLeases() }
                companions.addTask { await keepBalanceRead() }
                try await withThrowingDiscardingTaskGroup { hands in try await dispatch(to: &hands) }
                companions.cancelAll()
            }
        } onGracefulShutdown: {
            due.ring()
        }
    }

    private func dispatch(to hands: inout ThrowingDiscardingTaskGroup<any Error>) async throws {
        while !Task.isShuttingDownGracefully, !Task.isCancelled {
            if let refused = lanes.takeRefusedKey() { try await pause(refused) }
            do throws(LedgerError) {
                let tasks = try await claim()
                lanes.take(tasks)
                for task in tasks {
                    hands.addTask {
                        await work(on: task)
                        lanes.drop(task)
                        due.ring()
                    }
                }
                guard tasks.isEmpty else { continue }
                guard let wait = try await timeUntilDue() else { return }
                await due.wait(atMost: wait)
            } catch {
                guard error.isTransient else { throw WorkerError.ledger(error) }
                logger.warning("the database cannot be used, trying again", metadata: ["error": "\(error)"])
                await due.wait(atMost: .seconds(1))
            }
        }
    }

    private func claim() async throws(LedgerError) -> [LeasedTask] {
        let free = settings.concurrency - lanes.count
        guard free > 0 else { return [] }
        let now = clock()
        return try await ledger.claim(upTo: free, at: now, leaseUntil: now + settings.lease.seconds)
    }

    /// How long nothing will be due; nil where all is done and the worker is to stop then.
    private func timeUntilDue() async throws(LedgerError) -> Duration? {
        // A lane that becomes free rings.
        guard lanes.count < settings.concurrency else { return settings.lease }
        let next = try await ledger.nextDue()
        if settings.stopsWhenIdle, next.unfinished == 0, lanes.count == 0 { return nil }
        // A wake-up may be lost with its connection, so even an idle worker looks again now and then.
        guard let dueAt = next.dueAt else { return settings.lease }
        return min(settings.lease, max(.milliseconds(1), .seconds(dueAt.timeIntervalSince(clock()))))
    }

    private func pause(_ refused: RivyaError) async throws {
        let error = WorkerError.keyRefused(refused, variable: ledger.wallet.apiKeyVariable)
        guard !settings.stopsWhenIdle else { throw error }
        logger.error("the provider refuses the API key; tasks stay queued", metadata: ["code": "\(refused.code)"])
        let end = ContinuousClock.now + settings.retry.maximumDelay
        while !Task.isShuttingDownGracefully, !Task.isCancelled, ContinuousClock.now < end {
            await due.wait(atMost: end - ContinuousClock.now)
        }
    }

    /// Wakes the dispatcher when the guard admits a task.
    private func listen() async {
        while !Task.isCancelled {
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
                try? await Task.sleep(for: .seconds(1))
            }
        }
    }

    private func keepLeases() async {
        while !Task.isCancelled {
            try? await Task.sleep(for: settings.lease / 3)
            let leases = lanes.leases
            guard !leases.isEmpty else { continue }
            do throws(LedgerError) {
                let held = try await ledger.extend(leases, until: clock() + settings.lease.seconds)
                if held.count < leases.count {
                    // Some have been given back meanwhile; a task that another worker took is fenced off.
                    logger.debug("leases ended", metadata: ["count": "\(leases.count - held.count)"])
                }
            } catch {
                logger.warning("leases could not be extended", metadata: ["error": "\(error)"])
            }
        }
    }
}

extension Duration {
    /// The duration in seconds, as dates are counted.
    var seconds: Double { self / .seconds(1) }
}
