import Accounting
import Postgres
import UsageSQL

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// One thing for the books, as it waits for its group; kept in one place, as it is handed on several times.
indirect enum Act: Sendable {
    case reserve(TaskSubmission)
    case accept(Acceptance)
    case settle(Settlement)
    case record(RecordedError)

    /// The statement that it belongs to.
    enum Kind: Sendable {
        case reserve, accept, settle, record
    }

    /// Which kind it is.
    var kind: Kind {
        switch self {
        case .reserve: .reserve
        case .accept: .accept
        case .settle: .settle
        case .record: .record
        }
    }

    /// The size of the request that comes with it.
    var bodyBytes: Int {
        guard case .reserve(let submission) = self else { return 0 }
        return (submission.body?.count ?? 0) + submission.fingerprintSHA256.count
    }
}

/// The answer to an ``Act``.
enum Answer: Sendable {
    case reservation(ReservationOutcome)
    case acceptance(AcceptanceOutcome)
    case settlement(SettlementOutcome)
    case done
}

/// A group of acts as one transaction: at most one statement for each kind, whatever the number of acts.
struct Group {
    private(set) var steps: [PipelineStep] = []
    /// For each step, the places of its acts in the group.
    private var places: [[Int]] = []
    private let acts: [Act]

    init(_ acts: [Act], wallet: Int64) {
        self.acts = acts
        // Acceptances come before settlements, as a task may be accepted and settled in one group.
        add(acts.places { if case .reserve(let submission) = $0 { submission } else { nil } }) {
            Group.reserve($0, wallet)
        }
        add(acts.places { if case .accept(let acceptance) = $0 { acceptance } else { nil } }) {
            Group.accept($0, wallet)
        }
        add(acts.places { if case .record(let error) = $0 { error } else { nil } }) { Group.record($0, wallet) }
        add(acts.places { if case .settle(let settlement) = $0 { settlement } else { nil } }) {
            Group.settle($0, wallet)
        }
    }

    /// The answers of the acts, in the order in which they were given; one that is not in the books any more spoils no other.
    func answers(_ results: [Rows]) -> [Result<Answer, LedgerError>] {
        var answers = [Result<Answer, LedgerError>](repeating: .success(.done), count: acts.count)
        for (rows, places) in zip(results, places) {
            guard let row = rows.first else { continue }
            do throws(PostgresError) {
                let found = try read(row, of: places)
                guard found.count == places.count else {
                    throw PostgresError(reason: .decoding, message: "a group was answered as one of another size")
                }
                for (place, answer) in zip(places, found) { answers[place] = answer }
            } catch {
                for place in places { answers[place] = .failure(.database(error)) }
            }
        }
        return answers
    }

    private mutating func add<Kind>(_ found: (places: [Int], acts: [Kind]), _ step: ([Kind]) -> PipelineStep) {
        guard !found.places.isEmpty else { return }
        places.append(found.places)
        steps.append(step(found.acts))
    }

    /// Reads the row in which all acts of one statement are answered.
    private func read(_ row: Row, of places: [Int]) throws(PostgresError) -> [Result<Answer, LedgerError>] {
        switch acts[places[0]].kind {
        case .reserve:
            let decisions = try Decisions(row)
            return zip(places, decisions.outcomes.indices).map { place, index in
                guard case .reserve(let submission) = acts[place] else { return .failure(.unreadable) }
                return decisions.answer(to: submission, at: index)
            }
        case .accept:
            return try row.decode("outcomes", as: [String].self).map { outcome in
                AcceptanceOutcome(rawValue: outcome).map { .success(.acceptance($0)) } ?? .failure(.unreadable)
            }
        case .settle:
            return try row.decode("outcomes", as: [String].self).map { outcome in
                SettlementOutcome(rawValue: outcome).map { .success(.settlement($0)) } ?? .failure(.unreadable)
            }
        case .record: return places.map { _ in .success(.done) }
        }
    }
}

/// What the guard answers a group of requests, in their order.
private struct Decisions {
    let outcomes: [String]
    private let taskIDs: [UUID?]
    private let amounts: [Int64?]
    private let decidedAts: [Date?]
    /// Nil if nothing was refused.
    private let reasons: [JSONB?]?

    init(_ row: Row) throws(PostgresError) {
        outcomes = try row.decode("outcomes")
        taskIDs = try row.decode("task_ids")
        amounts = try row.decode("amounts_credits")
        decidedAts = try row.decode("decided_ats")
        reasons = try row.decode("reasons")
        guard
            [taskIDs.count, amounts.count, decidedAts.count, reasons?.count ?? outcomes.count]
                .allSatisfy({ $0 == outcomes.count })
        else { throw PostgresError(reason: .decoding, message: "the answers to a group are not of equal number") }
    }

    func answer(to submission: TaskSubmission, at index: Int) -> Result<Answer, LedgerError> {
        let isReserved: Bool
        switch outcomes[index] {
        case "unknown_project": return .failure(.unknownProject(submission.project))
        case "unpriced": return .failure(.unpriced(model: submission.model))
        case "conflict": return .failure(.clientRequestConflict(submission.clientRequestID))
        case "reserved": isReserved = true
        case "refused": isReserved = false
        default: return .failure(.unreadable)
        }
        guard let id = taskIDs[index], let amount = amounts[index], let decidedAt = decidedAts[index] else {
            return .failure(
                .database(
                    PostgresError(
                        reason: .decoding,
                        message: "the first answer to this client_request_id is not in the books any more; "
                            + "use a new one for a new request")))
        }
        let (taskID, credits) = (TaskID(id), Credits(amount))
        if isReserved {
            return .success(
                .reservation(.reserved(Reservation(taskID: taskID, amount: credits, reservedAt: decidedAt))))
        }
        do throws(PostgresError) {
            guard let given = reasons?[index] else { return .failure(.unreadable) }
            return .success(
                .reservation(
                    .refused(
                        Refusal(
                            taskID: taskID, amount: credits, refusedAt: decidedAt,
                            reasons: try RefusalReason.list(given)))))
        } catch {
            return .failure(.database(error))
        }
    }
}

extension LedgerError {
    /// The database answered with a word that this version does not know.
    static let unreadable = LedgerError.database(
        PostgresError(reason: .decoding, message: "The database is newer than this program; install the newer one."))
}

extension RefusalReason {
    /// Reads the reasons of a recorded refusal.
    static func list(_ json: JSONB) throws(PostgresError) -> [RefusalReason] {
        do {
            return try JSONDecoder().decode([RefusalReason].self, from: Data(json.text.utf8))
        } catch {
            throw PostgresError(reason: .decoding, message: "the reasons of a refusal cannot be read")
        }
    }
}

extension [Act] {
    /// The acts of one kind, and their places in the group.
    fileprivate func places<Kind>(_ kind: (Act) -> Kind?) -> (places: [Int], acts: [Kind]) {
        var found: (places: [Int], acts: [Kind]) = ([], [])
        for (place, act) in enumerated() {
            guard let act = kind(act) else { continue }
            found.places.append(place)
            found.acts.append(act)
        }
        return found
    }
}

/// What sets the price of a task.
private struct TaskKind: Hashable {
    let model: String
    let parameters: [String: String]
}

/// Values of which many are equal, as each of them once.
private struct Distinct<Value: Hashable> {
    private(set) var values: [Value] = []
    /// For each that was given, the place of its value, counted from 1.
    private(set) var places: [Int32] = []

    init(_ given: [Value]) {
        var known: [Value: Int32] = [:]
        places.reserveCapacity(given.count)
        for value in given {
            if let place = known[value] {
                places.append(place)
            } else {
                values.append(value)
                known[value] = Int32(values.count)
                places.append(Int32(values.count))
            }
        }
    }
}

extension Group {
    private static func reserve(_ submissions: [TaskSubmission], _ wallet: Int64) -> PipelineStep {
        let projects = Distinct(submissions.map(\.project))
        let kinds = Distinct(submissions.map { TaskKind(model: $0.model, parameters: $0.parameters) })
        return PipelineStep(
            Query.reserve, wallet, projects.values, kinds.values.map(\.model),
            kinds.values.map { JSONB(object: $0.parameters) }, projects.places, kinds.places,
            submissions.map(\.taskID.uuid), submissions.map(\.clientRequestID),
            submissions.map(\.fingerprintSHA256),
            submissions.map(\.body), submissions.map(\.submittedAt))
    }

    private static func accept(_ acceptances: [Acceptance], _ wallet: Int64) -> PipelineStep {
        PipelineStep(
            Query.accept, wallet, acceptances.map(\.taskID.uuid), acceptances.map(\.providerTaskID),
            acceptances.map { $0.reserved?.amount }, acceptances.map(\.acceptedAt), acceptances.map(\.pollAt))
    }

    private static func settle(_ settlements: [Settlement], _ wallet: Int64) -> PipelineStep {
        PipelineStep(
            Query.settle, wallet, settlements.map(\.taskID.uuid), settlements.map(\.leaseToken),
            settlements.map(\.outcome.rawValue), settlements.map(\.charged.amount), settlements.map(\.errorCode),
            settlements.map { $0.resultURLs.isEmpty ? nil : JSONB(array: $0.resultURLs) },
            settlements.map(\.resolvedBy),
            settlements.map(\.reason), settlements.map(\.settledAt), settlements.map(\.recheckAt))
    }

    private static func record(_ errors: [RecordedError], _ wallet: Int64) -> PipelineStep {
        PipelineStep(
            Query.recordErrors, wallet, errors.map { $0.taskID?.uuid }, errors.map(\.act.rawValue),
            errors.map { Int32($0.attempt) }, errors.map(\.code), errors.map { $0.httpStatus.map { Int32($0) } },
            errors.map(\.requestID), errors.map(\.message), errors.map(\.occurredAt))
    }
}
