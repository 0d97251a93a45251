import Foundation
import Postgres
import RivyaSandbox

/// Brings a storm to rest: nothing fails any more, every request gets its answer, and every task its end.
struct Quiet: Sendable {
    let world: World
    let callers: Callers
    let people: People
    let notebook: Notebook

    /// How long it may take until nothing is left to do.
    private static let patience = 120.0

    /// Ends all faults and waits; the workers still run afterwards.
    ///
    /// - Returns: What did not come to rest.
    func settle() async throws -> [Difference] {
        world.provider.calm()
        world.database.calm()
        try await world.sandbox.books.change { $0.faults.shares = [:] }
        await world.sandbox.releaseCreateAnswers()
        try await world.server.start()
        try await askAgain()
        return try await waitForEnds()
    }

    /// Asks every request again, whoever asked it first: each has its one answer, and references are uploaded.
    private func askAgain() async throws {
        for attempt in 0..<4 {
            // First what was answered, or else what was asked first; then the other variants, should that conflict.
            let pages = notebook.pages.filter { attempt == 0 || $0.value.answer == nil }
            let drafts = pages.sorted { $0.key < $1.key }.compactMap { _, page in
                let variants = page.drafts.keys.sorted()
                return page.drafts[page.answer?.variant ?? variants[attempt % variants.count]]
            }
            for (_, drafts) in Dictionary(grouping: drafts, by: \.wallet) {
                await callers.ask(Submission(number: -1 - attempt, drafts: drafts, killAfter: nil), killAfter: nil)
            }
        }
    }

    private func waitForEnds() async throws -> [Difference] {
        let deadline = ContinuousClock.now + .seconds(Quiet.patience)
        while ContinuousClock.now < deadline {
            let open = try await openTasks()
            let running = try await world.providerBooks().totals.heldCredits
            if open.isEmpty, running == 0 { return [] }
            let forPeople = open.filter(\.needsPerson)
            if !forPeople.isEmpty { try await decide(forPeople) }
            try await Task.sleep(for: .milliseconds(300))
        }
        return try await openTasks().map { task in
            Difference(
                "every task comes to an end", wallet: task.wallet, task: task.id, subject: "",
                found: "\(task.state), due \(task.due)", expected: "an end within \(Quiet.patience) s")
        }
    }

    private struct OpenTask {
        let id: String
        let wallet: String
        let state: String
        let due: String
        let needsPerson: Bool
    }

    private func openTasks() async throws -> [OpenTask] {
        try await world.read(
            """
            SELECT task_id::text AS id, slug AS wallet, state, coalesce(due_at::text, 'never') AS due,
                   state = 'unknown' AND due_at IS NULL AND NOT leased AS needs_person
            FROM task_work JOIN wallet USING (wallet_id)
            UNION ALL
            SELECT unnest(task_ids)::text, slug, 'queued', due_at::text, false FROM queued_group JOIN wallet USING (wallet_id)
            ORDER BY 1
            """
        ).map { row in
            OpenTask(
                id: try row.decode("id"), wallet: try row.decode("wallet"), state: try row.decode("state"),
                due: try row.decode("due"), needsPerson: try row.decode("needs_person"))
        }
    }

    /// Decides as a person who sees the provider's page.
    private func decide(_ open: [OpenTask]) async throws {
        let tasks = try await world.providerBooks().tasks
        for task in open {
            let line = tasks.first { $0.idempotencyKey == task.id }
            if let line, line.status != .succeeded, line.status != .failed { continue }
            await people.resolve(task.id, of: task.wallet, charged: line?.finalCredits ?? 0)
        }
    }
}
