import Accounting
import Foundation
import Ledger
import Postgres
import Reporting
import TestDatabase
import Testing
import UsageSQL

/// Requests that share a group and nothing else.
@Suite(.books) struct `Requests of one group` {
    /// The books are right.
    private func expectNoDifferences() async throws {
        let owner = TestDatabase.current.pool(maximumConnections: 1)
        #expect(try await Verification.run(on: owner) == [])
    }

    @Test func `count over midnight each in its own day and month`() async throws {
        let ledger = try await Ledger.sample(month: 84)
        let (may, june) = (Date.utc("2026-05-31T23:59:59Z"), Date.utc("2026-06-01T00:00:01Z"))
        let outcomes = try await ledger.decide([may, june, may, may, june].map { .sample(at: $0) })
        #expect(outcomes.map { $0.reservation != nil } == [true, true, true, false, true])
        #expect(outcomes[3].refusal?.reasons.count == 1)
        let days = try await TestDatabase.current.texts(
            "SELECT day || ' ' || tasks || ' ' || refused FROM day_total ORDER BY day")
        #expect(days == ["2026-05-31 2 1", "2026-06-01 2 0"])
        try await expectNoDifferences()
    }

    @Test func `have one answer for one name over midnight`() async throws {
        let ledger = try await Ledger.sample()
        let moments = [Date.utc("2026-05-31T23:59:59Z"), .utc("2026-06-01T00:00:01Z")]
        let outcomes = try await ledger.decide(moments.map { .sample(named: "order-1", at: $0) })
        #expect(Set(outcomes.map(\.reservation?.taskID)).count == 1)
        #expect(outcomes[1].reservation?.reservedAt == moments[0])
        #expect(try await ledger.balance.held == .credits(42))
    }

    @Test func `pay over the beginning of a price each what held at its moment`() async throws {
        let ledger = try await Ledger.sample()
        try await ledger.setPrice(.sample(50, from: .sample + 5))
        let outcomes = try await ledger.decide([0, 10, 4.999, 5].map { .sample(at: .sample + $0) })
        #expect(outcomes.map { $0.reservation?.amount.amount } == [42, 50, 42, 50])
        try await expectNoDifferences()
    }

    @Test func `of several projects and prices are each held to their own`() async throws {
        let ledger = try await Ledger.sample(month: 100)
        try await ledger.createProject("beta", month: .credits(1000), at: .sample)
        try await ledger.setBudget(of: "beta", .day, to: .credits(150), at: .sample)
        try await ledger.setPrice(.sample(7, ("duration", "10")))
        let long = ["duration": "10"]
        let outcomes = try await ledger.decide([
            .sample("beta"), .sample("alpha", with: long), .sample("beta", with: ["duration": "5"]), .sample("alpha"),
            .sample("alpha"), .sample("beta"), .sample("beta"), .sample("alpha"), .sample("beta", with: long),
        ])
        #expect(
            outcomes.map { $0.reservation?.amount.amount ?? -1 } == [42, 7, 42, 42, 42, 42, -1, -1, 7])
        #expect(outcomes[6].refusal?.reasons.map(\.ceiling) == [.projectDay])
        #expect(outcomes[7].refusal?.reasons.map(\.ceiling) == [.projectMonth])
        let totals = try await TestDatabase.current.texts(
            """
            SELECT slug || ' ' || tasks || ' ' || refused || ' ' || held_credits
            FROM day_total JOIN project USING (wallet_id, project_id) ORDER BY slug
            """)
        #expect(totals == ["alpha 3 1 91", "beta 4 1 133"])
        try await expectNoDifferences()
    }

    @Test func `name each project once, or nothing is decided`() async throws {
        let ledger = try await Ledger.sample(month: 84)
        let pool = TestDatabase.current.pool(maximumConnections: 1, role: "usage_service")
        let ids = [TaskID.make(at: .sample), .make(at: .sample)].map { "'\($0)'" }.joined(separator: ", ")
        let problem = await pool.problem(
            """
            SELECT * FROM reserve(1, ARRAY['alpha', 'alpha'], ARRAY['kling-v2-5-turbo-pro'], ARRAY['{}'::jsonb], ARRAY[1, 2],
                ARRAY[1, 1], ARRAY[\(ids)]::uuid[], ARRAY['a', 'b'], ARRAY['a', 'b']::bytea[], ARRAY[NULL, NULL]::bytea[],
                ARRAY[now(), now()])
            """)
        #expect(problem == "22023")
        #expect(try await ledger.balance.held == .zero)
    }

    @Test func `are chained in one link, refusals between reservations`() async throws {
        let ledger = try await Ledger.sample(month: 84)
        let links: Int64 = try await TestDatabase.current.number("SELECT count(*) FROM entry_link")
        try await ledger.createProject("beta", month: .credits(42), at: .sample)
        let outcomes = try await ledger.decide(["beta", "beta", "alpha", "beta", "alpha", "alpha"].map { .sample($0) })
        #expect(outcomes.map { $0.reservation != nil } == [true, false, true, false, true, false])
        // One more for the budget of beta.
        #expect(try await TestDatabase.current.number("SELECT count(*) FROM entry_link") == links + 2)
        try await expectNoDifferences()
    }

    @Test func `have links of 256 where they are many`() async throws {
        let ledger = try await Ledger.sample()
        _ = try await ledger.decide((0..<600).map { _ in .sample() })
        let sizes = try await TestDatabase.current.texts(
            "SELECT (last_entry_number - first_entry_number + 1)::text FROM entry_link ORDER BY last_entry_number DESC LIMIT 3"
        )
        #expect(sizes == ["88", "256", "256"])
        try await expectNoDifferences()
    }

    @Test func `are proved without carrying all hashes of their link along for each`() async throws {
        let ledger = try await Ledger.sample()
        _ = try await ledger.decide((0..<600).map { _ in .sample() })
        let proof = try #require(UsageSQL.proofs.first { $0.name == "entry_hash" })
        let pool = TestDatabase.current.pool(
            PostgresConfiguration(
                url: TestDatabase.current.url, settings: ["work_mem": "64kB", "enable_mergejoin": "off"]))
        let plan = try await pool.query(
            Statement("EXPLAIN (ANALYZE, BUFFERS, TIMING OFF)\n" + proof.statement.sql)
        ).map { row throws(PostgresError) in try row.decode(at: 0, as: String.self) }
        let pages = plan.lazy.compactMap { $0.firstMatch(of: /temp read=\d+ written=(\d+)/).flatMap { Int($0.1) } }
            .first
        // 600 entries with a hash and a line each are half a megabyte; with 256 hashes for each, they are five.
        #expect(try #require(pages) < 200, "\(plan)")
    }
}
