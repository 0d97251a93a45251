import Accounting
import Postgres
import UsageSQL

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// What the books say just before the provider's balance is asked for: the reading has seen all of it, and what comes
/// later it may not have seen.
public struct ReadingStart: Sendable {
    let entryNumber: Int64
    let taken: Int64
    let returned: Int64
    let running: Int64
}

/// A booked reading of the provider's balance.
public struct WalletReading: Equatable, Sendable {
    /// The provider's balance.
    public let current: Credits
    /// What left the wallet since the last reading by no task of ours; below zero: came in.
    public let unattributed: Credits
    /// Whether it is the newest: one asked for before the last is kept, but changes nothing.
    public let isNewest: Bool
}

extension Ledger {
    /// Notes where the books stand; call it before the provider is asked for its balance.
    public func beginReading() async throws(LedgerError) -> ReadingStart {
        do throws(PostgresError) {
            guard let row = try await pool.query(Query.beginReading, wallet.id).first else {
                throw PostgresError(reason: .server, message: "the wallet is gone")
            }
            return ReadingStart(
                entryNumber: try row.decode("last_entry_number"), taken: try row.decode("taken_credits"),
                returned: try row.decode("returned_credits"), running: try row.decode("running_credits"))
        } catch {
            throw .database(error)
        }
    }

    /// Books a reading, and opens the gate if it shows enough.
    ///
    /// - Parameter person: Who gave the figure; nil where the provider did.
    public func finishReading(
        _ start: ReadingStart, current: Credits, by person: String? = nil, at now: Date
    ) async throws(LedgerError) -> WalletReading {
        do throws(PostgresError) {
            let rows = try await pool.query(
                Query.recordReading, wallet.id, current.amount, start.entryNumber, start.taken, start.returned,
                start.running,
                person, now)
            guard let row = rows.first else { throw PostgresError(reason: .server, message: "the wallet is gone") }
            return WalletReading(
                current: current, unattributed: Credits(try row.decode("unattributed_credits")),
                isNewest: try row.decode("is_newest"))
        } catch {
            throw .database(error)
        }
    }
}
