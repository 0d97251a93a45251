import Foundation
import Postgres
import Synchronization

/// The people who decide about tasks that nobody knows the end of, with the real `usage task resolve`.
final class People: Sendable {
    private let world: World
    private let resolved = Mutex<[String: Set<Int>]>([:])

    init(world: World) { self.world = world }

    /// For each task what people said that it cost, whether or not that was booked.
    var words: [String: Set<Int>] { resolved.withLock { $0 } }

    /// The name under which they act.
    static let name = "ann"

    /// Ends one of a wallet's unknown tasks, or one whose worker has gone silent over it, as a person who guesses.
    func guess(wallet: String, pick: Int, charged: Int?) async throws {
        let rows = try await world.books.query(
            """
            SELECT task_id::text AS task FROM task_work JOIN wallet USING (wallet_id)
            WHERE slug = $1 AND (state = 'unknown' OR state = 'sending' AND leased) ORDER BY state, task_id
            """, wallet)
        guard !rows.isEmpty else { return }
        let task = try rows[pick % rows.count].decode("task", as: String.self)
        await resolve(task, of: wallet, charged: charged ?? 0)
    }

    /// Ends a task.
    @discardableResult
    func resolve(_ task: String, of wallet: String, charged: Int) async -> Bool {
        resolved.withLock { _ = $0[task, default: []].insert(charged) }
        let word = charged > 0 ? ["--charged", "\(charged)", "--beyond-hold"] : ["--released"]
        let outcome = try? await world.run(
            [
                "task", "resolve", task, "--wallet", wallet, "--reason", "seen on the page", "--by", People.name,
                "--recheck-delay", "3",
            ] + word,
            isDirect: false, within: 30)
        let isDone = outcome?.end == .exited(0)
        world.tally.count(
            .acts, isDone ? "person \(charged > 0 ? "charged" : "released") a task" : "person could not end a task",
            about: task)
        return isDone
    }
}
