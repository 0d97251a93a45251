import Accounting
import Foundation
import Ledger
import Postgres
import Reporting
import Synchronization

/// A wallet of ours with projects, budgets and plenty of credits; and a count of what it answered.
final class OurBooks: Sendable {
    /// What one task costs.
    static let price: Int64 = 42
    static let model = "kling-v2-5-turbo-pro"
    static let parameters = ["aspect_ratio": "16:9", "duration": "5"]
    /// A create request of the usual size.
    static let body = Array(
        """
        {"model":"kling-v2-5-turbo-pro","prompt":"A quiet harbour at dawn, slow dolly in, mist over the water, gulls far off",\
        "params":{"aspect_ratio":"16:9","duration":"5"},"client_request_id":"01990000-0000-7000-8000-000000000000"}
        """.utf8)

    let ledger: Ledger
    let database: BenchmarkDatabase
    let projects: [String]
    private let reserved = Atomic(0)
    private let settled = Atomic(0)

    private init(ledger: Ledger, database: BenchmarkDatabase, projects: [String]) {
        self.ledger = ledger
        self.database = database
        self.projects = projects
    }

    /// Makes a wallet with as many projects, none of which will run dry.
    ///
    /// - Parameter pool: What several wallets share; without it each has connections of its own.
    static func make(
        _ wallet: String, projects count: Int = 1, in database: BenchmarkDatabase, through pool: ConnectionPool? = nil
    ) async throws -> OurBooks {
        let pool = pool ?? database.pool(role: "usage_service")
        try await Wallet.create(wallet, timeZone: "UTC", apiKeyVariable: "RIVYA_API_KEY", at: Date(), in: pool)
        let ledger = Ledger(wallet: try await Wallet.named(wallet, in: pool), pool: pool)
        let projects = (1...count).map { "project-\($0)" }
        for project in projects {
            try await ledger.createProject(project, month: .largestAccepted, at: Date())
        }
        _ = try await ledger.finishReading(
            try await ledger.beginReading(), current: .largestAccepted, by: "benchmark", at: Date())
        return OurBooks(ledger: ledger, database: database, projects: projects)
    }

    /// A request as `usage submit` makes it.
    static func submission(_ project: String) -> TaskSubmission {
        let now = Date()
        return TaskSubmission(
            taskID: .make(at: now), project: project, model: model, parameters: parameters, fingerprint: body,
            body: body,
            submittedAt: now)
    }

    /// Holds credits for one task of one of the projects.
    @discardableResult
    func reserve() async throws -> TaskID {
        let project = projects.count == 1 ? projects[0] : projects[Int.random(in: projects.indices)]
        let submission = Self.submission(project)
        guard case .reserved(let reservation) = try await ledger.reserve(submission),
            reservation.taskID == submission.taskID, reservation.amount.amount == Self.price
        else { throw Mistake("A request that fits was not reserved as it was asked for.") }
        reserved.add(1, ordering: .relaxed)
        return reservation.taskID
    }

    /// Holds credits for one task, books where it is wanted that the provider took it, and that it succeeded.
    func live(accepted isTaken: Bool) async throws {
        let task = try await reserve()
        if isTaken { try await accept(task) }
        try await settle(task, leaseToken: isTaken ? 1 : 0)
    }

    /// Books that the provider took a task.
    private func accept(_ task: TaskID) async throws {
        let now = Date()
        let accepted = try await ledger.accept(
            Acceptance(
                taskID: task, providerTaskID: "vid_\(task)", reserved: Credits(Self.price), acceptedAt: now,
                pollAt: now + 10))
        guard accepted == .accepted else { throw Mistake("An acceptance was answered with \(accepted.rawValue).") }
    }

    /// Books that a task succeeded; an acceptance has added 1 to its lease token.
    func settle(_ task: TaskID, leaseToken: Int64) async throws {
        let ended = try await ledger.settle(
            Settlement(
                taskID: task, leaseToken: leaseToken, outcome: .succeeded, charged: Credits(Self.price),
                resultURLs: ["https://cdn.rivya.ai/\(task).mp4"], settledAt: Date()))
        guard ended == .settled else { throw Mistake("A settlement was answered with \(ended.rawValue).") }
        settled.add(1, ordering: .relaxed)
    }

    /// Holds credits for so many tasks, a thousand at once, and where it is wanted books that the provider took them.
    func tasks(_ count: Int, accepted isTaken: Bool) async throws -> [TaskID] {
        try await withThrowingTaskGroup(of: TaskID.self) { group in
            var tasks: [TaskID] = []
            for started in 0..<count {
                if started >= 1000, let task = try await group.next() { tasks.append(task) }
                group.addTask {
                    let task = try await self.reserve()
                    if isTaken { try await self.accept(task) }
                    return task
                }
            }
            for try await task in group { tasks.append(task) }
            return tasks
        }
    }

    /// Lets callers reserve for a round.
    func reserve(callers: Int, _ round: Stage.Round) async throws -> Sample {
        let last = try await lastEntry()
        let sample = try await Callers(count: callers) { _ in
            try await self.reserve()
            return true
        }.run(seconds: round.seconds, on: database.server)
        return try await sample.grouped(groupSize(since: last))
    }

    /// Counts answers that another process was given.
    func count(reserved others: Int) { reserved.add(others, ordering: .relaxed) }

    /// Counts tasks that a worker settled.
    func count(settled others: Int) { settled.add(others, ordering: .relaxed) }

    /// The number of the newest entry.
    func lastEntry() async throws -> Int64 {
        try await database.owner.query(
            "SELECT last_entry_number FROM wallet_balance WHERE wallet_id = $1", ledger.wallet.id)[0].decode(at: 0)
    }

    /// How many entries of some tables shared a transaction since an entry: the larger of median and mean.
    func groupSize(of tables: [String] = ["reservation"], since entry: Int64) async throws -> Int {
        let entries = tables.map { "SELECT xmin::text AS act FROM \($0) WHERE wallet_id = $1 AND entry_number > $2" }
        let row = try await database.owner.query(
            Statement(
                """
                SELECT coalesce(greatest(percentile_disc(0.5) WITHIN GROUP (ORDER BY size), round(avg(size))), 0)::bigint
                FROM (SELECT count(*) AS size FROM (\(entries.joined(separator: " UNION ALL "))) AS entries GROUP BY act) AS groups
                """), ledger.wallet.id, entry)[0]
        return Int(try row.decode(at: 0, as: Int64.self))
    }

    /// Where these books do not say what was answered.
    func problems() async throws -> [String] {
        let (tasks, ended) = (Int64(reserved.load(ordering: .relaxed)), Int64(settled.load(ordering: .relaxed)))
        let row = try await database.owner.query(
            """
            SELECT (SELECT count(*) FROM reservation hold WHERE hold.wallet_id = b.wallet_id) AS reservations,
                   (SELECT coalesce(sum(amount_credits), 0)::bigint FROM reservation hold WHERE hold.wallet_id = b.wallet_id) AS credits,
                   (SELECT count(*) FROM settlement ended WHERE ended.wallet_id = b.wallet_id) AS settlements,
                   (SELECT count(*) FROM refusal WHERE refusal.wallet_id = b.wallet_id) AS refusals,
                   b.held_credits, b.charged_credits
            FROM wallet_balance b WHERE b.wallet_id = $1
            """, ledger.wallet.id)[0]
        let expected = [
            ("reservations", tasks), ("credits", tasks * Self.price), ("settlements", ended), ("refusals", 0),
            ("held_credits", (tasks - ended) * Self.price), ("charged_credits", ended * Self.price),
        ]
        var problems: [String] = []
        for (name, expected) in expected {
            let found: Int64 = try row.decode(name)
            if found != expected {
                problems.append("\(ledger.wallet.slug): \(name) is \(found), answered were \(expected)")
            }
        }
        return problems
    }
}

extension BenchmarkDatabase {
    /// Where the books of any wallet do not follow from their entries, as `usage verify` finds.
    ///
    /// - Parameter except: Rules that were switched off on purpose.
    func verify(except: Set<String> = []) async throws -> [String] {
        Progress.note("  verifying")
        let pool = pool(role: "usage_report")
        let found = try await Verification.run(on: pool).filter { !except.contains($0.rule) }
        await pool.close()
        return found.prefix(20).map { "\($0.rule): \($0.wallet), \($0.subject): \($0.found), not \($0.expected)" }
    }
}
