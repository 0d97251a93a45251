import Ledger
import Postgres
import TestDatabase
import Testing

/// A rule that callers at once could break, and how they try to.
struct Race: Sendable, CustomTestStringConvertible {
    /// The rule, as a sentence.
    let rule: String
    /// The ways in which the rule is weakened, each of which the race must find.
    let mutants: [Mutant]
    /// Lets the racers go in fresh books, and returns what breaks the rule. It does not know whether it runs a mutant.
    let run: @Sendable (Round) async throws -> [String]

    var testDescription: String { rule }
}

/// The code of the database with a rule weakened.
struct Mutant: Sendable, CustomTestStringConvertible {
    /// What it does wrong, as the end of a sentence that begins with "it".
    let name: String
    /// Part of the finding that must give it away: another one would be found by accident.
    let sign: String
    let changes: [Change]

    init(_ name: String, sign: String, _ changes: Change...) { self.init(name, sign: sign, changes: changes) }

    init(_ name: String, sign: String, changes: [Change]) {
        self.name = name
        self.sign = sign
        self.changes = changes
    }

    var testDescription: String { name }
}

/// A change of the real code that is under test.
enum Change: Sendable {
    /// A function, as it was migrated, with a text replaced that it has so many times.
    case function(String, String, String, times: Int = 1)
    /// A statement of sql/queries with a text replaced that it has once.
    case query(Statement, String, String)
    /// A constraint that would turn the damage into an error.
    case drop(constraint: String, of: String)
    /// The locks of the sessions that migrate, taken by a function that does nothing.
    case noAdvisoryLock
    /// The table of applied migrations, without its key.
    case migrationsWithoutKey

    /// The keys that keep two entries from having one number.
    static let dropLinkKeys = [
        drop(constraint: "entry_link_ends_once", of: "entry_link"),
        drop(constraint: "entry_link_begins_once", of: "entry_link"),
    ]

    /// No lock on the wallet's row, nor anything that fails for want of it.
    static let noLock =
        [
            function("reserve", "FOR UPDATE;", ";"),
            function(
                "reserve", "held_credits = v_held", "held_credits = b.held_credits + v_held - v_balance.held_credits"),
        ] + dropLinkKeys + [drop(constraint: "queued_group_key", of: "queued_group")]

    /// Settling without a lock, on the wallet's row or the task's.
    static let noSettlementLock = [
        function("settle", "FOR UPDATE;", ";"), function("known_tasks", "asked.task_id FOR UPDATE", "asked.task_id"),
    ]

    /// Accepting without a lock, on the wallet's row or the task's.
    static let noAcceptanceLock = [
        function("accept", "FOR UPDATE;", ";"), function("known_tasks", "asked.task_id FOR UPDATE", "asked.task_id"),
    ]

    /// What is wrong with a mutant: it would test nothing.
    struct NotFound: Error, CustomStringConvertible {
        let description: String
    }

    /// Replaces a text that must be there exactly so many times.
    static func replace(_ old: String, by new: String, times: Int = 1, in text: String) throws -> String {
        let found = text.ranges(of: old).count
        guard found == times else {
            throw NotFound(
                description: "'\(old)' is there \(found) times, not \(times); the mutant must follow the code")
        }
        return text.replacing(old, with: new)
    }

    /// Makes the change in a database, as the owner of its tables.
    func apply(_ owner: ConnectionPool) async throws {
        switch self {
        case .function(let name, let old, let new, let times):
            let code: String = try await owner.query(
                "SELECT pg_get_functiondef($1::text::regproc)", name)[0].decode(at: 0)
            let changed = try Change.replace(old, by: new, times: times, in: code)
            try await owner.transaction { (transaction) throws(PostgresError) in
                try transaction.executeScript(Statement(changed))
            }
        case .drop(let constraint, let table):
            try await owner.execute(
                Statement("ALTER TABLE IF EXISTS \(table) DROP CONSTRAINT IF EXISTS \(constraint) CASCADE"))
        case .query, .noAdvisoryLock, .migrationsWithoutKey: break
        }
    }
}
