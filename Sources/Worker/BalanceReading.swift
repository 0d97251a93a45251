import Accounting
import Ledger
import Logging
import RivyaClient

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

extension Ledger {
    /// Reads the provider's balance and books it.
    ///
    /// - Throws: ``BalanceError`` if the provider or the books cannot answer; nothing is booked then.
    public func readBalance(
        from client: any GenerationProvider, clock: @Sendable () -> Date = { Date() }
    ) async throws(BalanceError) -> WalletReading {
        let start: ReadingStart
        do throws(LedgerError) { start = try await beginReading() } catch { throw .ledger(error) }
        let current: Int64
        do throws(RivyaError) { current = try await client.credits() } catch { throw .provider(error) }
        do throws(LedgerError) {
            return try await finishReading(start, current: Credits(current), at: clock())
        } catch {
            throw .ledger(error)
        }
    }
}

/// Why the balance could not be read.
public enum BalanceError: Error, Sendable, CustomStringConvertible {
    /// The provider did not answer with a balance.
    case provider(RivyaError)
    /// The books could not take it.
    case ledger(LedgerError)

    /// One sentence about what went wrong.
    public var description: String {
        switch self {
        case .provider(let error): "The balance cannot be read: \(error)."
        case .ledger(let error): error.description
        }
    }
}

extension Worker {
    /// Keeps the balance fresh: reads it when the last reading has grown old, and at once after a guard miss.
    func keepBalanceRead() async {
        var failures = 0
        var isUrgent = false
        while !Task.isCancelled {
            do throws(BalanceError) {
                let isOld = try await isReadingOld()
                if isUrgent || isOld { _ = try await ledger.readBalance(from: client, clock: clock) }
                failures = 0
            } catch {
                guard !Task.isCancelled else { return }
                failures += 1
                switch error {
                case .provider(let error):
                    logger.warning("the balance cannot be read", metadata: ["error": "\(error)"])
                    await record(nil, .credits, attempt: failures, error)
                case .ledger(let error): outage.goesOn(error, logger)
                }
            }
            let isUnmet = isUrgent && failures > 0
            let pause =
                failures == 0
                ? settings.readingInterval : min(settings.readingInterval, .seconds(1 << min(failures, 10)))
            isUrgent = await balance.wait(atMost: pause) || isUnmet
        }
    }

    /// Whether no worker has read the balance lately.
    private func isReadingOld() async throws(BalanceError) -> Bool {
        do throws(LedgerError) {
            let readAt = try await Wallet.all(in: pool, slug: ledger.wallet.slug).first?.balance.readingRecordedAt
            let now = try await ledger.databaseTime()
            return readAt.map { now.timeIntervalSince($0) >= settings.readingInterval.seconds * 0.9 } ?? true
        } catch {
            throw .ledger(error)
        }
    }
}
