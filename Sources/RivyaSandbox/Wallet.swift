#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// One account's credits and what moved them.
///
/// `opening + topped up - studio - taken + given back = current` and `taken = given back + charged + held`, always.
struct Wallet: Sendable {
    let name: String
    let openingCredits: Int
    private(set) var currentCredits: Int
    private(set) var takenCredits = 0
    private(set) var givenBackCredits = 0
    private(set) var chargedCredits = 0
    private(set) var studioSpentCredits = 0
    private(set) var toppedUpCredits = 0
    var insufficientAnswers = 0
    var idempotencyConflicts = 0
    var rateLimitedAnswers = 0
    /// Task by idempotency key; that keys belong to the account is the sandbox's assumption.
    var taskByKey: [String: Int] = [:]
    var studioSince: Date
    var window: (second: Int64, requests: Int) = (0, 0)

    init(name: String, openingCredits: Int, at now: Date) {
        self.name = name
        self.openingCredits = openingCredits
        currentCredits = openingCredits
        studioSince = now
    }

    var heldCredits: Int { takenCredits - givenBackCredits - chargedCredits }

    /// Takes credits at submission; false if there are too few.
    mutating func take(_ credits: Int) -> Bool {
        guard credits <= currentCredits else { return false }
        currentCredits -= credits
        takenCredits += credits
        return true
    }

    /// Ends a task that reserved credits: charges the final ones and gives the rest back.
    ///
    /// The final credits may be above the reserved ones; then the difference is taken now.
    mutating func settle(reserved: Int, final: Int) {
        let rest = reserved - final
        currentCredits += rest
        if rest >= 0 { givenBackCredits += rest } else { takenCredits -= rest }
        chargedCredits += final
    }

    /// Takes back so much of what was given back for a task that has ended; below zero gives more back.
    mutating func charge(_ more: Int) {
        currentCredits -= more
        givenBackCredits -= more
        chargedCredits += more
    }

    /// Spends up to so many credits in Studio, as far as they go; negative credits are a top-up.
    mutating func spendInStudio(_ credits: Int) -> Int {
        let spent = min(credits, currentCredits)
        currentCredits -= spent
        if spent >= 0 { studioSpentCredits += spent } else { toppedUpCredits -= spent }
        return spent
    }

    /// Lets Studio go on spending by the minute, up to now.
    mutating func spendInStudio(creditsPerMinute: Int, until now: Date) {
        let seconds = now.timeIntervalSince(studioSince)
        guard creditsPerMinute > 0, seconds > 0 else { return }
        let credits = (seconds * Double(creditsPerMinute) / 60).rounded(.down)
        guard credits >= 1 else { return }
        _ = spendInStudio(Int(min(credits, 1e12)))
        studioSince += credits * 60 / Double(creditsPerMinute)
    }

    /// Counts a request; false if the account has had its requests of this second.
    mutating func countRequest(limit: Int?, at now: Date) -> Bool {
        guard let limit else { return true }
        let second = Int64(now.timeIntervalSince1970.rounded(.down))
        if window.second != second { window = (second, 0) }
        guard window.requests < limit else {
            rateLimitedAnswers += 1
            return false
        }
        window.requests += 1
        return true
    }
}
