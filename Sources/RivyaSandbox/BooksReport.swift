#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The provider's own account of everything: what `GET /books` answers, to compare other books with.
public struct BooksReport: Codable, Equatable, Sendable {
    /// When it was drawn up, ISO 8601 in UTC.
    public var at: String
    /// The wallets, by account name.
    public var accounts: [Account]
    /// All accounts together.
    public var totals: Totals
    /// Every task, oldest first; empty if they were not asked for.
    public var tasks: [TaskLine]
    /// Requests by endpoint since the sandbox started, whatever became of them.
    public var requests: [String: Int]
    /// The most requests that were under way at one moment.
    public var mostRequestsAtOnce = 0
    /// Faults that requests and new tasks have met since then, by kind.
    public var faults: [String: Int]

    /// One account's wallet.
    public struct Account: Codable, Equatable, Sendable {
        /// The account's short name.
        public var name: String
        /// What the wallet has seen.
        public var totals: Totals
    }

    /// What moved credits. `taken = given back + charged + held`, and
    /// `opening + topped up = current + charged + held + studio`.
    public struct Totals: Codable, Equatable, Sendable {
        /// The balance at the start.
        public var openingCredits = 0
        /// The balance now.
        public var currentCredits = 0
        /// Taken for tasks, most of it at submission.
        public var takenCredits = 0
        /// Given back when tasks ended.
        public var givenBackCredits = 0
        /// Kept for tasks that have ended.
        public var chargedCredits = 0
        /// Taken for tasks that have not ended.
        public var heldCredits = 0
        /// Spent on the side, in Studio.
        public var studioSpentCredits = 0
        /// Bought.
        public var toppedUpCredits = 0
        /// Tasks made.
        public var tasks = 0
        /// Create requests the wallet was too short for.
        public var insufficientAnswers = 0
        /// Create requests that used a key again with another body.
        public var idempotencyConflicts = 0
        /// Requests above the rate limit.
        public var rateLimitedAnswers = 0

        /// Whether both sums hold.
        public var isBalanced: Bool {
            takenCredits == givenBackCredits + chargedCredits + heldCredits
                && openingCredits + toppedUpCredits
                    == currentCredits + chargedCredits + heldCredits + studioSpentCredits
        }

        enum CodingKeys: String, CodingKey {
            case openingCredits = "opening_credits"
            case currentCredits = "current_credits"
            case takenCredits = "taken_credits"
            case givenBackCredits = "given_back_credits"
            case chargedCredits = "charged_credits"
            case heldCredits = "held_credits"
            case studioSpentCredits = "studio_spent_credits"
            case toppedUpCredits = "topped_up_credits"
            case tasks
            case insufficientAnswers = "insufficient_answers"
            case idempotencyConflicts = "idempotency_conflicts"
            case rateLimitedAnswers = "rate_limited_answers"
        }
    }

    /// One task.
    public struct TaskLine: Codable, Equatable, Sendable {
        /// The provider's id.
        public var id: String
        /// The short name of the account it belongs to.
        public var account: String
        /// The `Idempotency-Key` it was made with.
        public var idempotencyKey: String?
        /// SHA-256 of the request body, in lower-case hexadecimal.
        public var requestSHA256: String
        /// The model's id.
        public var model: String
        /// The caller's trace id.
        public var clientRequestID: String?
        /// Its state.
        public var status: TaskStatus
        /// What was taken for it at submission.
        public var reservedCredits: Int
        /// What was kept for it; 0 until it ends.
        public var finalCredits: Int
        /// ISO 8601 in UTC, with milliseconds.
        public var createdAt: String
        /// ISO 8601 in UTC, with milliseconds.
        public var updatedAt: String
        /// Create requests that came with its key and body, the first included.
        public var createRequests: Int

        enum CodingKeys: String, CodingKey {
            case id, account, model, status
            case idempotencyKey = "idempotency_key"
            case requestSHA256 = "request_sha256"
            case clientRequestID = "client_request_id"
            case reservedCredits = "reserved_credits"
            case finalCredits = "final_credits"
            case createdAt = "created_at"
            case updatedAt = "updated_at"
            case createRequests = "create_requests"
        }
    }
}

extension BooksReport.Totals {
    mutating func add(_ other: Self) {
        openingCredits += other.openingCredits
        currentCredits += other.currentCredits
        takenCredits += other.takenCredits
        givenBackCredits += other.givenBackCredits
        chargedCredits += other.chargedCredits
        heldCredits += other.heldCredits
        studioSpentCredits += other.studioSpentCredits
        toppedUpCredits += other.toppedUpCredits
        tasks += other.tasks
        insufficientAnswers += other.insufficientAnswers
        idempotencyConflicts += other.idempotencyConflicts
        rateLimitedAnswers += other.rateLimitedAnswers
    }
}

extension Wallet {
    func totals(tasks: Int) -> BooksReport.Totals {
        BooksReport.Totals(
            openingCredits: openingCredits, currentCredits: currentCredits, takenCredits: takenCredits,
            givenBackCredits: givenBackCredits, chargedCredits: chargedCredits, heldCredits: heldCredits,
            studioSpentCredits: studioSpentCredits, toppedUpCredits: toppedUpCredits, tasks: tasks,
            insufficientAnswers: insufficientAnswers, idempotencyConflicts: idempotencyConflicts,
            rateLimitedAnswers: rateLimitedAnswers)
    }
}

extension TaskRecord {
    func line(account: String, at now: Date) -> BooksReport.TaskLine {
        BooksReport.TaskLine(
            id: id, account: account, idempotencyKey: idempotencyKey, requestSHA256: bodySHA256, model: modelID,
            clientRequestID: clientRequestID, status: status(at: now), reservedCredits: reservedCredits,
            finalCredits: finalCredits, createdAt: createdAt.iso8601, updatedAt: updatedAt(at: now).iso8601,
            createRequests: createRequests)
    }
}
