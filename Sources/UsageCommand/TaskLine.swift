import Accounting
import Ledger

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// A task as JSON shows it: in a list without the members from `dueAt` on.
struct TaskLine: Encodable {
    struct Event: Encodable {
        let entryNumber: Int64
        let event: String
        let at: Date
        let detail: String
    }

    let taskId: String
    let project: String
    let model: String
    let state: String
    let clientRequestId: String
    let providerTaskId: String?
    let submittedAt: Date
    let reservedCredits: Int64
    let chargedCredits: Int64
    private(set) var dueAt: Date?
    private(set) var attempts: Int?
    private(set) var needsPerson: Bool?
    private(set) var resultUrls: [String]?
    private(set) var events: [Event]?

    init(_ task: TaskSummary) {
        taskId = "\(task.id)"
        project = task.project
        model = task.model
        state = task.state
        clientRequestId = task.clientRequestID
        providerTaskId = task.providerTaskID
        submittedAt = task.submittedAt
        reservedCredits = task.reserved.amount
        chargedCredits = task.charged.amount
    }

    init(_ details: TaskDetails) {
        self.init(details.summary)
        dueAt = details.dueAt
        attempts = details.attempts
        needsPerson = state == "unknown" && details.dueAt == nil
        resultUrls = details.resultURLs.flatMap { try? JSONDecoder().decode([String].self, from: Data($0.utf8)) } ?? []
        events = details.events.map {
            Event(entryNumber: $0.entryNumber, event: $0.event, at: $0.at, detail: $0.detail)
        }
    }
}
