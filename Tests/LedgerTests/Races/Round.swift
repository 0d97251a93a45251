import Accounting
import Foundation
import Postgres
import Reporting
import TestDatabase
import UsageSQL

@testable import Ledger

/// One run of a race, in books of its own.
struct Round: Sendable {
    let course: Course
    let number: Int

    /// The books of a new wallet with the project alpha.
    func books(month: Int64 = 1_000_000, reading: Int64 = 1_000_000) async throws -> Ledger {
        let pool = course.racers[0]
        try await Wallet.create("round-\(number)", timeZone: "UTC", apiKeyVariable: "KEY", at: .sample, in: pool)
        let ledger = Ledger(wallet: try await .named("round-\(number)", in: pool), pool: pool)
        try await ledger.createProject("alpha", month: .credits(month), at: .sample)
        try await ledger.read(reading)
        return ledger
    }

    /// Lets the racers go, each with the books as its own process keeps them.
    func heat<Answer: Sendable>(
        _ books: Ledger, behind gate: Course.Gate = .wallet,
        _ act: @escaping @Sendable (_ books: Ledger, _ racer: Int) async throws -> Answer
    ) async throws -> Heat<Answer> {
        let wallet = books.wallet
        return try await course.heat(behind: gate) { racer in
            try await act(Ledger(wallet: wallet, pool: course.racers[racer]), racer)
        }
    }

    /// What `usage verify` says of all books so far.
    func verification() async throws -> [String] {
        try await Verification.run(on: course.owner).map {
            "verify \($0.rule): \($0.wallet), \($0.subject): \($0.found), not \($0.expected)"
        }
    }

    /// A number that the owner of the tables reads; `$1` is the wallet.
    func number(_ statement: Statement, of books: Ledger) async throws -> Int64 {
        try await course.owner.query(statement, books.wallet.id)[0].decode(at: 0)
    }

    /// A statement of sql/queries, as the mutant has it.
    func text(_ original: Statement) throws -> Statement {
        var text = original.sql
        for case .query(original, let old, let new) in course.changes {
            text = try Change.replace(old, by: new, in: text)
        }
        return Statement(text)
    }

    /// Leases tasks.
    func claim(
        upTo limit: Int = 1000, by books: Ledger, at now: Date = .sample, until end: Date = .late
    ) async throws -> [TaskID: Int64] {
        let rows = try await books.pool.query(
            Query.claim, books.wallet.id, now, Int64(limit), end, [UUID]())
        return try rows.reduce(into: [:]) {
            $0[TaskID(try $1.decode("task_id"))] = try $1.decode("lease_token", as: Int64.self)
        }
    }

    /// Extends a lease; whether it is still held.
    func extend(_ leases: [TaskID: Int64], by books: Ledger, until end: Date) async throws -> Set<TaskID> {
        let rows = try await books.pool.query(
            Query.extendLeases, books.wallet.id, leases.keys.map(\.uuid), Array(leases.values), end)
        return try rows.reduce(into: []) { $0.insert(TaskID(try $1.decode("task_id"))) }
    }

    /// Gives a task back as queued.
    func giveBack(_ task: TaskID, _ token: Int64, by books: Ledger, dueAt: Date) async throws {
        try await books.pool.execute(
            Query.schedule, books.wallet.id, [task.uuid], [token], ["queued"], [dueAt], [false])
    }
}

/// A finding, unless something is as it must be.
func unless(_ isRight: Bool, _ finding: @autoclosure () -> String) -> [String] { isRight ? [] : [finding()] }
