import Accounting
import Foundation
import Ledger
import Postgres
import TestDatabase
import Testing

@Suite(.books) struct `A recorded error` {
    @Test(arguments: [true, false])
    func `is looked for by its key, however many there are`(isOfTask: Bool) async throws {
        let ledger = try await Ledger.sample()
        let task = isOfTask ? try await ledger.hold() : nil
        let owner = TestDatabase.current.pool(maximumConnections: 1)
        /// How many pages are read to record one more, once the session knows the tables.
        func pages() async throws -> Int {
            var read = 0
            for _ in 0..<3 {
                let lines = try await owner.query(
                    """
                    EXPLAIN (ANALYZE, BUFFERS, SUMMARY OFF)
                    SELECT record_errors($1, ARRAY[$2::uuid], ARRAY['status'], ARRAY[0], ARRAY['no_answer'], ARRAY[503],
                                         ARRAY[NULL::text], ARRAY['no'], ARRAY[clock_timestamp()])
                    """, ledger.wallet.id, task?.uuid
                ).map { row in try row.decode(at: 0, as: String.self) }
                let line = try #require(lines.first { $0.contains("shared hit=") })
                read = try #require(Int(line.components(separatedBy: "shared hit=")[1].prefix { $0.isNumber }))
            }
            return read
        }
        let few = try await pages()
        try await owner.execute(
            """
            INSERT INTO recorded_error (wallet_id, entry_number, task_id, act, attempt, code, message, occurred_at)
            SELECT $1, 1000 + n, $2, 'status', n, 'no_answer', 'no', now() FROM generate_series(1, 20000) AS n
            """, ledger.wallet.id, task?.uuid)
        #expect(try await pages() < few + 50)
    }
}

@Suite(.books) struct `The list of tasks` {
    /// Tasks that have come to different states, a second apart, newest first.
    private func sample() async throws -> (Ledger, [TaskID]) {
        let ledger = try await Ledger.sample(month: 168)
        try await ledger.createProject("beta", month: .credits(1000), at: .sample)
        let succeeded = try await ledger.running(.sample(named: "one"))
        try await ledger.end(succeeded, .succeeded, charged: 42)
        let failed = try await ledger.running(.sample(at: .sample + 1))
        try await ledger.end(failed, .failed, charged: 0, recheckAt: .sample)
        let rejected = try await ledger.hold(.sample(at: .sample + 2))
        try await ledger.end(rejected, .rejected, charged: 0)
        let accepted = try await ledger.running(.sample("beta", at: .sample + 3))
        let queued = try await ledger.hold(.sample("beta", at: .sample + 4))
        let newest = try await ledger.hold(.sample(at: .sample + 5))
        return (ledger, [newest, queued, accepted, rejected, failed, succeeded])
    }

    @Test func `shows the newest first, with state and credits`() async throws {
        let (ledger, ids) = try await sample()
        let tasks = try await ledger.tasks(limit: 10)
        #expect(tasks.map(\.id) == ids)
        #expect(tasks.map(\.state) == ["queued", "queued", "accepted", "rejected", "failed", "succeeded"])
        #expect(tasks.map(\.reserved.amount) == [42, 42, 42, 42, 42, 42])
        #expect(tasks.map(\.charged.amount) == [0, 0, 0, 0, 0, 42])
        #expect(tasks.map(\.project) == ["alpha", "beta", "beta", "alpha", "alpha", "alpha"])
        #expect(tasks.last?.clientRequestID == "one")
        #expect(tasks.first?.submittedAt == .sample + 5)
    }

    @Test func `shows refusals among them`() async throws {
        let (ledger, _) = try await sample()
        try await ledger.setBudget(of: "beta", .day, to: .zero, at: .sample)
        let refused = try await ledger.refusal(of: .sample("beta", at: .sample + 6)).taskID
        #expect(try await ledger.tasks(limit: 1).map(\.id) == [refused])
        #expect(try await ledger.tasks(in: "refused", limit: 10).map(\.id) == [refused])
    }

    @Test func `can be of one project, in one state, and only the older ones`() async throws {
        let (ledger, ids) = try await sample()
        #expect(try await ledger.tasks(of: "beta", limit: 10).map(\.id) == [ids[1], ids[2]])
        #expect(try await ledger.tasks(in: "failed", limit: 10).map(\.id) == [ids[4]])
        #expect(try await ledger.tasks(before: ids[3], limit: 1).map(\.id) == [ids[4]])
        #expect(try await ledger.tasks(of: "gamma", limit: 10).isEmpty)
    }

    @Test func `tells how far each is`() async throws {
        let (ledger, ids) = try await sample()
        let progress = try await ledger.progress(of: ids)
        #expect(progress.map(\.id) == ids)
        #expect(progress.map(\.state) == ["queued", "queued", "accepted", "rejected", "failed", "succeeded"])
        #expect(progress.map(\.charged?.amount) == [nil, nil, nil, 0, 0, 42])
        #expect(progress.count(where: \.needsPerson) == 0)
    }

    @Test func `tells the whole story of one`() async throws {
        let ledger = try await Ledger.sample()
        let task = try await ledger.hold()
        try await ledger.record("no_answer", of: task)
        try await ledger.accept(task)
        try await ledger.record("rate_limited", of: task, .status)
        try await ledger.end(task, .failed, charged: 0, recheckAt: .sample)
        try await ledger.end(task, .succeeded, charged: 42)
        let details = try #require(await ledger.task(task))
        #expect(
            details.events.map { "\($0.event): \($0.detail)" } == [
                "reserved: 42 credits held",
                "error: create attempt 1: no_answer, HTTP 402, request r-1: no",
                "accepted: 42 credits taken as p-\(task)",
                "error: status attempt 1: rate_limited, HTTP 402, request r-1: no",
                "failed: 0 charged, 42 released",
                "corrected: 42 charged, -42 released: the provider says succeeded with final_credits 42",
            ])
        #expect(details.body == Array("{}".utf8))
        #expect(details.events.map(\.entryNumber) == details.events.map(\.entryNumber).sorted())
    }

    @Test func `has nothing to say about a task that there is not`() async throws {
        let ledger = try await Ledger.sample()
        #expect(try await ledger.task(.make(at: .sample)) == nil)
        #expect(try await ledger.refusal(.make(at: .sample)) == nil)
    }

    @Test func `counts each error once, however often it is recorded`() async throws {
        let ledger = try await Ledger.sample()
        let task = try await ledger.hold()
        for _ in 0..<3 { try await ledger.record("no_answer", of: task) }
        try await ledger.record("no_answer", of: task, attempt: 2)
        try await ledger.record("timed_out", of: nil, .credits)
        try await ledger.record("timed_out", of: nil, .credits)
        #expect(try await TestDatabase.current.number("SELECT count(*) FROM recorded_error") == 3)
        #expect(try await TestDatabase.current.number("SELECT errors FROM day_total") == 2)
    }

    @Test func `keeps an error however long its words are`() async throws {
        let ledger = try await Ledger.sample()
        let task = try await ledger.hold()
        let error = RecordedError(
            taskID: task, act: .create, attempt: 1, code: String(repeating: "é", count: 300), httpStatus: nil,
            requestID: nil,
            message: String(repeating: "👩‍👩‍👧", count: 1000), occurredAt: .sample)
        try await ledger.record(error)
        #expect(try await TestDatabase.current.number("SELECT length(message)::bigint FROM recorded_error") == 1000)
    }
}
