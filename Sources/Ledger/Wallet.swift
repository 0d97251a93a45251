import Accounting
import Postgres
import UsageSQL

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The provider account's credits, shared by all projects.
public struct Wallet: Equatable, Sendable {
    /// The wallet's number in the database.
    public let id: Int64
    /// Its name on the command line.
    public let slug: String
    /// The IANA time zone of its days and months.
    public let timeZone: String
    /// The name of the environment variable with its API key.
    public let apiKeyVariable: String
}

/// A wallet's running totals.
public struct WalletBalance: Equatable, Sendable {
    /// All credits ever held.
    public let reserved: Credits
    /// Of these, taken for good.
    public let charged: Credits
    /// Of these, given back.
    public let released: Credits
    /// Of these, still held.
    public let held: Credits
    /// The provider's balance at the last reading; nil without one.
    public let reading: Credits?
    /// When that was.
    public let readAt: Date?
    /// When the last one was recorded, by the database's clock.
    public let readingRecordedAt: Date?
    /// What the wallet can still give; nil without a reading.
    public let available: Credits?
    /// Why nothing is admitted; nil while the gate is open.
    public let gate: RefusalReason.GateCause?
    /// What a reading must show for the gate to open.
    public let gateNeeded: Credits
    /// How often the provider had too few credits for a task that the guard had admitted.
    public let guardMisses: Int64
    /// What left the wallet by no task of ours; below zero: came in.
    public let unattributed: Credits
}

extension Wallet {
    /// The wallet of a name.
    public static func named(_ slug: String, in pool: ConnectionPool) async throws(LedgerError) -> Wallet {
        guard let found = try await all(in: pool, slug: slug).first else { throw .unknownWallet(slug) }
        return found.wallet
    }

    /// All wallets, or the one of a name, with their totals.
    public static func all(
        in pool: ConnectionPool, slug: String? = nil
    ) async throws(LedgerError) -> [(wallet: Wallet, balance: WalletBalance)] {
        do throws(PostgresError) {
            var found: [(Wallet, WalletBalance)] = []
            for row in try await pool.query(Query.wallet, slug) {
                found.append((try Wallet(row), try WalletBalance(row)))
            }
            return found
        } catch {
            throw .database(error)
        }
    }

    /// Makes a wallet with its gate closed and the price of kling-v2-5-turbo-pro.
    public static func create(
        _ slug: String, timeZone: String, apiKeyVariable: String, at now: Date, in pool: ConnectionPool
    ) async throws(LedgerError) {
        do throws(PostgresError) {
            _ = try await pool.query(Query.createWallet, slug, timeZone, apiKeyVariable, now)
        } catch {
            switch (error.sqlState, error.constraint) {
            case ("23505", "wallet_slug_unique"): throw .alreadyExists("Wallet '\(slug)'")
            // invalid_parameter_value, from the check on the time zone. Source: PostgreSQL manual, appendix A.
            case ("22023", _): throw .unknownTimeZone(timeZone)
            default: throw .database(error)
            }
        }
    }

    fileprivate init(_ row: Row) throws(PostgresError) {
        id = try row.decode("wallet_id")
        slug = try row.decode("slug")
        timeZone = try row.decode("time_zone")
        apiKeyVariable = try row.decode("api_key_variable")
    }
}

extension WalletBalance {
    fileprivate init(_ row: Row) throws(PostgresError) {
        reserved = Credits(try row.decode("reserved_credits"))
        charged = Credits(try row.decode("charged_credits"))
        released = Credits(try row.decode("released_credits"))
        held = Credits(try row.decode("held_credits"))
        reading = try row.decode("reading_credits", as: Int64?.self).map(Credits.init)
        readAt = try row.decode("read_at")
        readingRecordedAt = try row.decode("reading_recorded_at")
        available = try row.decode("available_credits", as: Int64?.self).map(Credits.init)
        gate = try row.decode("gate", as: String?.self).flatMap(RefusalReason.GateCause.init)
        gateNeeded = Credits(try row.decode("gate_needed_credits"))
        guardMisses = try row.decode("guard_misses")
        unattributed = Credits(try row.decode("unattributed_credits"))
    }
}
