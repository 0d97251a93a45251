import Accounting
import Foundation
import Ledger
import Postgres
import Reporting
import RivyaClient
import RivyaSandbox
import Testing

/// Where a task stands in the books.
struct TaskStanding: Equatable {
    var state: String
    var charged: Int64 = 0
    var released: Int64 = 0
    var held: Int64 = 0

    static let queued = TaskStanding(state: "queued", held: 42)
    static let accepted = TaskStanding(state: "accepted", held: 42)
    static let unknown = TaskStanding(state: "unknown", held: 42)
    static let succeeded = TaskStanding(state: "succeeded", charged: 42)
    static let failed = TaskStanding(state: "failed", released: 42)
    static let rejected = TaskStanding(state: "rejected", released: 42)
}

extension Scene {
    // MARK: What is asked for

    /// The bytes of a create request.
    static func body(_ prompt: String = "A paper boat on a pond.") -> [UInt8] {
        GenerationRequest(model: "kling-v2-5-turbo-pro", prompt: prompt).encoded()
    }

    /// Submits a task of 42 credits.
    @discardableResult
    func submit(_ body: [UInt8] = Scene.body()) async throws -> TaskID {
        let now = Date()
        let id = TaskID.make(at: now)
        let outcome = try await ledger.reserve(
            TaskSubmission(
                taskID: id, project: "film", model: "kling-v2-5-turbo-pro", fingerprint: body, body: body,
                submittedAt: now))
        guard case .reserved = outcome else { throw NotAdmitted(outcome: outcome) }
        return id
    }

    /// Submits several tasks.
    @discardableResult
    func submit(count: Int) async throws -> [TaskID] {
        var ids: [TaskID] = []
        for number in 1...count { ids.append(try await submit(Scene.body("Paper boat number \(number)."))) }
        return ids
    }

    struct NotAdmitted: Error { let outcome: ReservationOutcome }

    /// Lets every task be due now, in whoever's hands it is.
    func makeDue() async throws {
        // Locked by key first, as all who write several do: a worker beside this would wait for it in a circle.
        try await pool.execute(
            """
            WITH waiting AS MATERIALIZED (
                SELECT wallet_id, task_id FROM task_work WHERE due_at IS NOT NULL ORDER BY wallet_id, task_id FOR UPDATE
            )
            UPDATE task_work work SET due_at = clock_timestamp() FROM waiting
            WHERE work.wallet_id = waiting.wallet_id AND work.task_id = waiting.task_id
            """)
        try await pool.execute(
            """
            WITH waiting AS MATERIALIZED (
                SELECT wallet_id, last_entry_number FROM queued_group ORDER BY wallet_id, last_entry_number FOR UPDATE
            )
            UPDATE queued_group SET due_at = clock_timestamp() FROM waiting
            WHERE queued_group.wallet_id = waiting.wallet_id AND queued_group.last_entry_number = waiting.last_entry_number
            """)
        try await pool.execute("SELECT pg_notify('usage_work', $1)", "\(ledger.wallet.id)")
    }

    // MARK: What the books say

    func standing(of id: TaskID) async throws -> TaskStanding {
        let rows = try await pool.query(
            """
            SELECT coalesce(credits.outcome, work.state, 'queued') AS state, charged_credits, released_credits, held_credits
            FROM task_credits credits LEFT JOIN task_work work USING (wallet_id, task_id) WHERE task_id = $1
            """, id.uuid)
        let row = try #require(rows.first)
        return TaskStanding(
            state: try row.decode("state"), charged: try row.decode("charged_credits"),
            released: try row.decode("released_credits"), held: try row.decode("held_credits"))
    }

    func standings() async throws -> [TaskStanding] {
        var standings: [TaskStanding] = []
        for row in try await pool.query("SELECT task_id FROM task ORDER BY task_id") {
            standings.append(try await standing(of: TaskID(try row.decode("task_id"))))
        }
        return standings
    }

    /// The errors in the books, oldest first, each as what was asked and the code.
    func errors() async throws -> [String] {
        var errors: [String] = []
        let rows = try await pool.query("SELECT act || ' ' || code AS error FROM recorded_error ORDER BY entry_number")
        for row in rows { errors.append(try row.decode("error")) }
        return errors
    }

    /// The first value of a query's first row; 0 where there is none.
    func number(_ query: String, _ id: TaskID? = nil) async throws -> Int64 {
        let parameters: [any PostgresEncodable] = if let id { [id.uuid] } else { [] }
        let rows = try await pool.query(Statement(query), parameters: parameters)
        return try rows.first?.decode("number") ?? 0
    }

    /// Whether a task waits for a person.
    func isForPerson(_ id: TaskID) async throws -> Bool {
        try await number(
            "SELECT count(*) AS number FROM task_work WHERE task_id = $1 AND due_at IS NULL AND NOT leased", id) == 1
    }

    func balance() async throws -> WalletBalance {
        try #require(try await Wallet.all(in: pool, slug: "main").first).balance
    }

    func providerTaskID(of id: TaskID) async throws -> String {
        let rows = try await pool.query("SELECT provider_task_id FROM acceptance WHERE task_id = $1", id.uuid)
        return try #require(rows.first).decode("provider_task_id")
    }

    /// Books the balance that the sandbox has now, without a request.
    @discardableResult
    func bookBalance() async throws -> WalletReading {
        let start = try await ledger.beginReading()
        let current = await sandbox.books.report(includingTasks: false).totals.currentCredits
        return try await ledger.finishReading(start, current: Credits(Int64(current)), at: Date())
    }

    // MARK: Both books

    /// Compares the books with the provider's: each task, all totals, and the balance.
    func compareBooks() async throws {
        #expect(try await Verification.run(on: pool) == [])
        let provider = await sandbox.books.report()
        #expect(provider.totals.isBalanced)
        let keys = provider.tasks.compactMap(\.idempotencyKey)
        #expect(Set(keys).count == provider.tasks.count, "one task for each key, and none without")
        let ours = try await lines()
        for task in provider.tasks {
            let line = try #require(ours[task.idempotencyKey ?? ""], "the provider has a task that is not ours")
            guard line.isEnded, let providerTaskID = line.providerTaskID else {
                #expect(
                    line.charged + line.held >= max(task.reservedCredits, task.finalCredits),
                    "what is not known to have ended stays held, unless a person paid it")
                continue
            }
            #expect(providerTaskID == task.id)
            #expect(line.sha256 == task.requestSHA256, "the bytes that were stored are the bytes that were sent")
            #expect(line.charged == task.finalCredits)
        }
        guard ours.values.allSatisfy(\.isEnded) else { return }
        let totals = try await totals()
        #expect(totals.charged == provider.totals.chargedCredits)
        #expect(totals.held == provider.totals.heldCredits)
        #expect(totals.taken - totals.returned == provider.totals.takenCredits - provider.totals.givenBackCredits)
        if try await number("SELECT count(*) AS number FROM correction") == 0 {
            // What is corrected counts anew as taken or given back, whichever it was at the provider.
            #expect(totals.taken == provider.totals.takenCredits)
        }
        try await bookBalance()
        let unattributed = try await balance().unattributed
        #expect(unattributed.amount == Int64(provider.totals.studioSpentCredits - provider.totals.toppedUpCredits))
    }

    private struct Line {
        let providerTaskID: String?
        let sha256: String
        let charged: Int
        let held: Int
        let isEnded: Bool
    }

    private struct Totals {
        let taken: Int64
        let returned: Int64
        let charged: Int64
        let held: Int64
    }

    private func lines() async throws -> [String: Line] {
        let rows = try await pool.query(
            """
            SELECT task_id, taken.provider_task_id, encode(sha256(request.body), 'hex') AS sha256,
                   credits.charged_credits, credits.held_credits, credits.outcome IS NOT NULL AS is_ended
            FROM task_credits credits
            JOIN client_request request USING (wallet_id, task_id)
            LEFT JOIN acceptance taken USING (wallet_id, task_id)
            WHERE request.body IS NOT NULL
            """)
        var lines: [String: Line] = [:]
        for row in rows {
            lines[TaskID(try row.decode("task_id")).description] = Line(
                providerTaskID: try row.decode("provider_task_id"), sha256: try row.decode("sha256"),
                charged: Int(try row.decode("charged_credits", as: Int64.self)),
                held: Int(try row.decode("held_credits", as: Int64.self)), isEnded: try row.decode("is_ended"))
        }
        return lines
    }

    private func totals() async throws -> Totals {
        let rows = try await pool.query(
            "SELECT taken_credits, returned_credits, charged_credits, held_credits FROM wallet_balance")
        let row = try #require(rows.first)
        return Totals(
            taken: try row.decode("taken_credits"), returned: try row.decode("returned_credits"),
            charged: try row.decode("charged_credits"), held: try row.decode("held_credits"))
    }
}
