import Accounting
import Foundation
import Postgres
import TestDatabase
import UsageSQL

@testable import Ledger

/// Where racers meet: each with connections of its own, as another process would have, and open before the start.
struct Course: Sendable {
    /// How many race.
    static let racers = 8

    let database = TestDatabase.current
    let owner: ConnectionPool
    let racers: [ConnectionPool]
    let changes: [Change]

    /// Changes the database's code as a mutant wants it, and connects all.
    init(changes: [Change] = []) async throws {
        let database = self.database
        owner = database.pool(maximumConnections: 2)
        for change in changes { try await change.apply(owner) }
        self.changes = changes
        racers = (0..<Course.racers).map { _ in
            database.pool(
                PostgresConfiguration(
                    url: database.url, applicationName: "racer", role: "usage_service", maximumConnections: 1))
        }
        for racer in racers { try await racer.execute("SELECT 1") }
    }

    /// What the owner of the tables holds until all racers wait for it or have come through without.
    enum Gate: Sendable {
        case open
        case wallet
        case task(TaskID)
        /// What waits in one row with a task.
        case group(of: TaskID)

        fileprivate var lock: PipelineStep? {
            switch self {
            case .open: nil
            case .wallet: PipelineStep("SELECT FROM wallet_balance FOR UPDATE")
            case .task(let id): PipelineStep("SELECT FROM task_work WHERE task_id = $1 FOR UPDATE", id.uuid)
            case .group(let id): PipelineStep("SELECT FROM queued_group WHERE $1 = ANY (task_ids) FOR UPDATE", id.uuid)
            }
        }
    }

    /// Lets all racers go at once, and opens the gate once none of them can go on by itself.
    func heat<Answer: Sendable>(
        behind gate: Gate, _ act: @escaping @Sendable (_ racer: Int) async throws -> Answer
    ) async throws -> Heat<Answer> {
        let observer = database.pool(maximumConnections: 1)
        return try await owner.withConnection { (owner) throws(PostgresError) in
            try await owner.execute("BEGIN")
            if let lock = gate.lock { _ = try await owner.query(lock.statement, parameters: lock.parameters) }
            let barrier = Barrier(of: Course.racers)
            return await withTaskGroup(of: (Int, Result<Answer, any Error>).self) { group in
                for racer in 0..<Course.racers {
                    group.addTask {
                        await barrier.arrive()
                        let result: Result<Answer, any Error>
                        do { result = .success(try await act(racer)) } catch { result = .failure(error) }
                        await barrier.finish()
                        return (racer, result)
                    }
                }
                var heat = Heat<Answer>()
                do throws(PostgresError) {
                    heat.waited = try await Course.waiting(observer, barrier)
                    try await owner.execute("COMMIT")
                } catch { heat.problems.append("gate: \(error)") }
                for await (racer, result) in group {
                    switch result {
                    case .success(let answer): heat.answers[racer] = answer
                    case .failure(let error): heat.problems.append("answers: racer \(racer) was told \(error)")
                    }
                }
                return heat
            }
        }
    }

    /// How many racers wait for a lock once each of them does or has finished; looked at for at most 25 seconds.
    private static func waiting(
        _ observer: ConnectionPool, _ barrier: Barrier
    ) async throws(PostgresError) -> Int {
        let deadline = ContinuousClock.now + .seconds(25)
        while ContinuousClock.now < deadline {
            // Read before the locks, so that nobody counts twice.
            let done = await barrier.finished
            let waiting: Int64 = try await observer.query(
                """
                SELECT count(*) FROM pg_stat_activity racer
                WHERE datname = current_database() AND application_name = 'racer'
                    AND EXISTS (SELECT FROM pg_locks WHERE pid = racer.pid AND NOT granted)
                """)[0].decode(at: 0)
            if done + Int(waiting) >= Course.racers { return Int(waiting) }
            try? await Task.sleep(for: .milliseconds(1))
        }
        throw PostgresError(reason: .timeout, message: "the racers neither wait nor finish")
    }
}

/// What came of one heat.
struct Heat<Answer: Sendable>: Sendable {
    /// By racer; without those that got an error.
    var answers: [Int: Answer] = [:]
    /// What racers were told instead of an answer.
    var problems: [String] = []
    /// How many waited when the gate was opened.
    var waited = 0
}

/// Lets all go once the last has come, and counts who has finished.
actor Barrier {
    private(set) var finished = 0
    private let count: Int
    private var waiting: [CheckedContinuation<Void, Never>] = []

    init(of count: Int) { self.count = count }

    func arrive() async {
        await withCheckedContinuation { continuation in
            waiting.append(continuation)
            guard waiting.count == count else { return }
            for each in waiting { each.resume() }
            waiting = []
        }
    }

    func finish() { finished += 1 }
}
