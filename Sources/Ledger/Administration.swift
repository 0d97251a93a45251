import Accounting
import Postgres
import UsageSQL

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// A budget and what is used of it in its current period.
public struct BudgetUse: Equatable, Sendable {
    /// Whose budget it is.
    public let project: String
    /// How long it lasts.
    public let period: BudgetPeriod
    /// The most that may be held and charged in the period.
    public let limit: Credits
    /// Charged in the current period.
    public let charged: Credits
    /// Held in the current period.
    public let held: Credits
    /// First day on which it starts anew, as `2026-12-01`; nil for a total.
    public let resetsOn: String?
    /// What may still be held.
    public var remaining: Credits { max(.zero, limit - charged - held) }
}

/// A row of the price book.
public struct Price: Equatable, Sendable {
    /// The provider's model id.
    public let model: String
    /// The parameter value that has this price; nil for the model's base price.
    public let parameter: (name: String, value: String)?
    /// What is held for one task.
    public let amount: Credits
    /// First moment at which it holds.
    public let effectiveFrom: Date

    /// Makes a row.
    public init(model: String, parameter: (name: String, value: String)?, amount: Credits, effectiveFrom: Date) {
        self.model = model
        self.parameter = parameter
        self.amount = amount
        self.effectiveFrom = effectiveFrom
    }

    /// Compares all fields.
    public static func == (left: Price, right: Price) -> Bool {
        left.model == right.model && left.parameter?.name == right.parameter?.name
            && left.parameter?.value == right.parameter?.value && left.amount == right.amount
            && left.effectiveFrom == right.effectiveFrom
    }
}

extension Ledger {
    /// Makes the partitions of this month and the next two, by the database's clock, where they are missing, for all wallets.
    ///
    /// - Returns: How many were made; none while somebody else makes them.
    /// - Throws: ``LedgerError/database(_:)``, also where another session holds a lock for a
    ///   quarter of a second; then try again later.
    public func makePartitions() async throws(LedgerError) -> Int {
        do throws(PostgresError) {
            return Int(try await pool.query(Query.makePartitions)[0].decode("made", as: Int32.self))
        } catch {
            throw .database(error)
        }
    }

    /// Makes a project with its month budget.
    public func createProject(_ slug: String, month limit: Credits, at now: Date) async throws(LedgerError) {
        do throws(PostgresError) {
            _ = try await pool.query(Query.createProject, wallet.id, slug, limit.amount, now)
        } catch {
            switch (error.sqlState, error.constraint) {
            case ("23505", "project_slug_unique"): throw .alreadyExists("Project '\(slug)'")
            default: throw .database(error)
            }
        }
    }

    /// Sets the limit of a project for a period from now on; nil removes it, which a month budget does not allow.
    public func setBudget(
        of project: String, _ period: BudgetPeriod, to limit: Credits?, at now: Date
    ) async throws(LedgerError) {
        do throws(PostgresError) {
            let rows = try await pool.query(Query.setBudget, wallet.id, project, period.rawValue, limit?.amount, now)
            guard rows.isEmpty else { return }
        } catch {
            throw .database(error)
        }
        throw .unknownProject(project)
    }

    /// The budgets of one project, or of all, with what is used of them.
    public func budgets(of project: String? = nil, at now: Date) async throws(LedgerError) -> [BudgetUse] {
        var found: [BudgetUse] = []
        do throws(PostgresError) {
            for row in try await pool.query(Query.budgets, wallet.id, project, now) { found.append(try BudgetUse(row)) }
        } catch {
            throw .database(error)
        }
        if found.isEmpty, let project { throw .unknownProject(project) }
        return found
    }

    /// Adds a price; tasks that are held already keep theirs.
    public func setPrice(_ price: Price) async throws(LedgerError) {
        do throws(PostgresError) {
            _ = try await pool.query(
                Query.setPrice, wallet.id, price.model, price.parameter?.name, price.parameter?.value,
                price.amount.amount,
                price.effectiveFrom)
        } catch {
            switch (error.sqlState, error.constraint) {
            case ("23505", "price_one_per_moment"):
                throw .alreadyExists("A price of \(price.model) from that moment on")
            default: throw .database(error)
            }
        }
    }

    /// The price book.
    public func prices() async throws(LedgerError) -> [Price] {
        do throws(PostgresError) {
            var found: [Price] = []
            for row in try await pool.query(Query.prices, wallet.id) { found.append(try Price(row)) }
            return found
        } catch {
            throw .database(error)
        }
    }
}

extension BudgetUse {
    fileprivate init(_ row: Row) throws(PostgresError) {
        project = try row.decode("project")
        guard let period = BudgetPeriod(rawValue: try row.decode("period")) else {
            throw PostgresError(reason: .decoding, message: "the database has a budget period that is not known here")
        }
        self.period = period
        limit = Credits(try row.decode("limit_credits"))
        charged = Credits(try row.decode("charged_credits"))
        held = Credits(try row.decode("held_credits"))
        resetsOn = try row.decode("resets_on", as: PostgresDate?.self)?.description
    }
}

extension Price {
    fileprivate init(_ row: Row) throws(PostgresError) {
        model = try row.decode("model")
        let value: String? = try row.decode("value")
        parameter = try row.decode("parameter", as: String?.self).flatMap { name in value.map { (name, $0) } }
        amount = Credits(try row.decode("amount_credits"))
        effectiveFrom = try row.decode("effective_from")
    }
}
