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
/// to another worker changes nothing. What a worker does to the queue it does in groups: due tasks are taken together,
/// and so are leases extended and visited tasks given back.
public struct Worker: Service {
    let ledger: Ledger
    let pool: ConnectionPool
    let client: any GenerationProvider
    let settings: WorkerSettings
    let clock: @Sendable () -> Date
    let logger: Logger
    let lanes = Lanes()
    let returns = Returns()
    let outage = Outage()
    let due = Doorbell()
    let balance = Doorbell()

    /// Makes a worker.
    ///
    /// - Parameter clock: Stamps what happens; tasks are due by the database's clock.
    /// - Parameter client: The provider. Must not retry by itself (``RivyaClient/RetryPolicy/never``): every attempt is recorded here.
    public init(
        ledger: Ledger, pool: ConnectionPool, client: any GenerationProvider, settings: WorkerSettings, logger: Logger,
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
                companions.addTask { await keepPartitions() }
                let failure = await withTaskGroup(of: Void.self) { group in
                    group.addTask { await giveBackReturns() }
                    let failure = await withDiscardingTaskGroup { hands in await dispatch(to: &hands) }
                    returns.close()
                    return failure
                }
                companions.cancelAll()
                return failure
            }
        } onGracefulShutdown: {
            due.ring()
        }
        if let failure { throw failure }
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

    /// Has the partitions of the next months made, long before they are needed. Where something else has them locked at the moment,
    /// or the database is away, there is time: rows without a partition wait in the default one.
    private func keepPartitions() async {
        while !Task.isCancelled {
            var pause = Duration.seconds(6 * 3600)
            do throws(LedgerError) {
                let made = try await ledger.makePartitions()
                if made > 0 { logger.info("partitions were made", metadata: ["count": "\(made)"]) }
            } catch {
                logger.debug("partitions cannot be made now", metadata: ["error": "\(error)"])
                pause = .seconds(60)
            }
            try? await Task.sleep(for: pause)
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
