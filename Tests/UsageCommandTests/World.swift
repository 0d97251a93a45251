import Foundation
import Logging
import Postgres
import Reporting
import RivyaSandbox
import TestDatabase
import Testing
import UsageSQL

/// A database, a sandbox, and the program that is pointed at both.
struct World: Sendable {
    let usage: Program
    let sandbox: RivyaSandbox
    let pool: ConnectionPool

    /// Runs a test in a world of its own, with project `films`, and checks at the end that the books are right and equal
    /// to the provider's.
    static func with(
        _ settings: SandboxSettings = SandboxSettings(openingCredits: 10_000, secondsToFinish: 0.2), budget: Int = 420,
        in database: TestDatabase = .current, _ body: @Sendable (World) async throws -> Void
    ) async throws {
        try await RivyaSandbox.withSandbox(settings: settings) { sandbox, url async throws in
            let usage = Program(environment: [
                "DATABASE_URL": database.url, "RIVYA_BASE_URL": url, "RIVYA_API_KEY": SandboxSettings.defaultKey,
            ])
            let world = World(usage: usage, sandbox: sandbox, pool: database.pool())
            let made = try await usage.run("project", "create", "films", "--month", "\(budget)")
            #expect(made.status == 0, "\(made.errors)")
            try await body(world)
            try await world.expectEqualBooks()
            await world.pool.close()
        }
    }

    /// One figure from the database.
    func count(_ query: Statement) async throws -> Int {
        Int(try await pool.query(query)[0].decode(at: 0, as: Int64.self))
    }

    /// Works until everything has come to an end.
    func workUntilIdle() async throws {
        let outcome = try await usage.run(worker + ["--until-idle"])
        #expect(outcome.status == 0, "\(outcome.errors)")
    }

    /// The arguments of a worker in a hurry.
    var worker: [String] { ["worker", "--poll-interval", "0.1", "--lease", "2"] }

    /// Waits until a query gives a figure.
    func wait(until query: Statement, is wanted: Int) async throws {
        let deadline = ContinuousClock.now + .seconds(180)
        while try await count(query) != wanted {
            try #require(ContinuousClock.now < deadline, "\(query.sql) did not become \(wanted)")
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    /// The books follow from their entries, and are the provider's to the credit, with one task for each key.
    func expectEqualBooks() async throws {
        #expect(try await differences() == [])
    }

    /// Where the books do not follow from their entries, or differ from the provider's.
    func differences() async throws -> [String] {
        var found = try await Verification.run(on: pool).map { "\($0)" }
        let report = await sandbox.books.report()
        if !report.totals.isBalanced { found.append("the provider's books do not add up") }
        // Not always number 1: a migration that was killed has used that up.
        let wallets = try await pool.query(
            """
            SELECT charged_credits, taken_credits, returned_credits
            FROM wallet_balance JOIN wallet USING (wallet_id) WHERE slug = 'main'
            """)
        guard let ours = wallets.first else { return found + ["there is no wallet"] }
        let (charged, taken, returned) = (
            Int(try ours.decode("charged_credits", as: Int64.self)),
            Int(try ours.decode("taken_credits", as: Int64.self)),
            Int(try ours.decode("returned_credits", as: Int64.self))
        )
        let theirs = report.totals
        if charged != theirs.chargedCredits {
            found.append("\(charged) charged, \(theirs.chargedCredits) by the provider")
        }
        // What is corrected counts anew as taken or given back, whichever it was at the provider.
        let isCorrected = try await count("SELECT count(*) FROM correction") > 0
        if taken - returned != theirs.takenCredits - theirs.givenBackCredits
            || !isCorrected && taken != theirs.takenCredits
        {
            found.append(
                "\(taken) taken and \(returned) returned, \(theirs.takenCredits) and \(theirs.givenBackCredits) by the provider"
            )
        }
        let keys = report.tasks.map { $0.idempotencyKey ?? "none" }
        if Set(keys).count != keys.count || keys.contains("none") { found.append("provider tasks by key: \(keys)") }
        return found
    }
}
