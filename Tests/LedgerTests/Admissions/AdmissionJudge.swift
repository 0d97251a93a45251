import Accounting
import Foundation
import Ledger
import Postgres

/// What a number of seeds came to.
struct AdmissionTally {
    var seeds = 0
    var callers = 0
    var reserved = 0
    var refused = 0
    /// Callers who got the answer that another had got under the same name, or were told that it was another question.
    var again = 0
    var conflicts = 0
    /// Credits admitted beyond a ceiling.
    var overspent: Int64 = 0
    var wrongRefusals = 0
    /// Refusals with another reason or figure than that of the moment.
    var inexactRefusals = 0
    var wrongAnswers = 0
    /// The first few things that are wrong, with their seeds.
    private(set) var findings: [String] = []

    mutating func find(_ finding: String) { if findings.count < 10 { findings.append(finding) } }

    mutating func add(_ other: AdmissionTally) {
        seeds += other.seeds
        callers += other.callers
        reserved += other.reserved
        refused += other.refused
        again += other.again
        conflicts += other.conflicts
        overspent += other.overspent
        wrongRefusals += other.wrongRefusals
        inexactRefusals += other.inexactRefusals
        wrongAnswers += other.wrongAnswers
        for finding in other.findings { find(finding) }
    }
}

/// Holds the books and the callers' answers of a seed against the model.
struct AdmissionJudge {
    let plan: AdmissionPlan
    let answers: [Result<ReservationOutcome, LedgerError>]
    private(set) var tally = AdmissionTally()
    private var model: GuardModel
    private var given: [TaskID: ReservationOutcome] = [:]

    init(_ plan: AdmissionPlan, _ answers: [Result<ReservationOutcome, LedgerError>]) {
        self.plan = plan
        self.answers = answers
        model = GuardModel(timeZone: plan.timeZone)
        tally.seeds = 1
        tally.callers = answers.count
    }

    mutating func judge(_ wallet: Wallet, in pool: ConnectionPool) async throws {
        for (place, entry) in try await BookEntry.all(of: wallet, in: pool).enumerated() {
            if entry.number != place + 1 { find("entry \(entry.number) is in place \(place + 1)") }
            try replay(entry)
        }
        let names = try await pool.query(
            "SELECT client_request_id, task_id FROM client_request WHERE wallet_id = $1", wallet.id
        ).reduce(into: [:]) { names, row in
            names[try row.decode(at: 0, as: String.self)] = TaskID(try row.decode(at: 1, as: UUID.self))
        }
        compareAnswers(names)
        try await compareCounters(wallet, in: pool)
    }

    /// Asks the model what the guard had to answer here.
    private mutating func replay(_ entry: BookEntry) throws {
        let outcome = try entry.outcome()
        if let outcome {
            let reasons = model.reasons(against: entry.amount, of: entry.project, at: entry.at)
            switch outcome {
            case .reserved:
                tally.reserved += 1
                if let worst = reasons.map(\.remaining).min() {
                    tally.overspent += entry.amount - worst
                    find("entry \(entry.number) was admitted against \(reasons)")
                }
            case .refused(let refusal):
                tally.refused += 1
                if reasons.isEmpty {
                    tally.wrongRefusals += 1
                    find("entry \(entry.number) was refused and fits: \(refusal.reasons)")
                } else if refusal.reasons.map(Reason.init) != reasons {
                    tally.inexactRefusals += 1
                    find("entry \(entry.number) says \(refusal.reasons.map(Reason.init)), not \(reasons)")
                }
            }
            if given.updateValue(outcome, forKey: entry.task) != nil { find("task \(entry.task) was decided twice") }
        }
        model.follow(entry)
        if case .reservation = entry.kind, entry.seen != model.allHeld {
            find("entry \(entry.number) says that \(entry.seen) are held, not \(model.allHeld)")
        }
    }

    /// Each caller was told what the books say of whoever asked first under its name.
    private mutating func compareAnswers(_ names: [String: TaskID]) {
        let submissions = plan.callers.map(\.submission)
        let asked = Dictionary(uniqueKeysWithValues: submissions.map { ($0.taskID, $0) })
        var decided = Set(plan.spent.map(\.submission.taskID))
        for (submission, answer) in zip(submissions, answers) {
            guard plan.projects.contains(submission.project) else {
                expect(answer == .failure(.unknownProject(submission.project)), submission, answer)
                continue
            }
            guard let task = names[submission.clientRequestID], let first = asked[task], let outcome = given[task]
            else {
                expect(false, submission, answer)
                continue
            }
            decided.insert(task)
            if submission.taskID != task { tally.again += 1 }
            if first.fingerprint == submission.fingerprint {
                expect(answer == .success(outcome), submission, answer)
            } else {
                tally.conflicts += 1
                expect(answer == .failure(.clientRequestConflict(submission.clientRequestID)), submission, answer)
            }
        }
        if decided != Set(given.keys) { find("\(given.count) were decided, and \(decided.count) asked for") }
    }

    private mutating func expect(
        _ isRight: Bool, _ submission: TaskSubmission, _ answer: Result<ReservationOutcome, LedgerError>
    ) {
        guard !isRight else { return }
        tally.wrongAnswers += 1
        find("\(submission.clientRequestID) was told \(answer)")
    }

    private mutating func compareCounters(_ wallet: Wallet, in pool: ConnectionPool) async throws {
        let counters = try await pool.query(
            """
            SELECT slug, period, starts_on::text, held_credits, charged_credits
            FROM budget_counter JOIN project USING (wallet_id, project_id) WHERE wallet_id = $1
            UNION ALL
            SELECT '', 'wallet', '', held_credits, 0 FROM wallet_balance WHERE wallet_id = $1
            """, wallet.id)
        for row in counters {
            let project: String = try row.decode(at: 0)
            let from: String = try row.decode(at: 2)
            let found = (held: try row.decode(at: 3, as: Int64.self), charged: try row.decode(at: 4, as: Int64.self))
            var expected = (held: model.allHeld, charged: Int64(0))
            if let period = BudgetPeriod(rawValue: try row.decode(at: 1)) {
                expected = model.counter(of: project, period, from: from)
            }
            if found != expected { find("a counter of \(project) from \(from) has \(found), not \(expected)") }
        }
    }

    private mutating func find(_ finding: String) { tally.find("seed \(plan.seed): \(finding)") }
}
