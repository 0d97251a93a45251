#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// A request that the guard turned away.
public struct Refusal: Equatable, Sendable {
    /// The id that the task would have had.
    public let taskID: TaskID
    /// What was asked for.
    public let amount: Credits
    /// When it was refused.
    public let refusedAt: Date
    /// Every ceiling that it would have broken; at least one.
    public let reasons: [RefusalReason]

    /// Makes the value of a refusal that is in the books.
    public init(taskID: TaskID, amount: Credits, refusedAt: Date, reasons: [RefusalReason]) {
        self.taskID = taskID
        self.amount = amount
        self.refusedAt = refusedAt
        self.reasons = reasons
    }
}

/// One ceiling that a refused request would have broken, as it stood at that moment.
public struct RefusalReason: Codable, Equatable, Sendable {
    /// What refused.
    public enum Ceiling: String, Codable, Sendable {
        /// The project's budget of the day.
        case projectDay = "project_day"
        /// The project's budget of the month.
        case projectMonth = "project_month"
        /// The project's budget for good.
        case projectTotal = "project_total"
        /// What the wallet can still give.
        case wallet
        /// The wallet's gate is closed: there is no reading, or the last one proved wrong.
        case walletGate = "wallet_gate"
    }

    /// Why a wallet's gate is closed.
    public enum GateCause: String, Codable, Sendable {
        /// The provider's balance was never read.
        case noReading = "no_reading"
        /// The provider had fewer credits than the guard thought.
        case guardMiss = "guard_miss"
    }

    /// What refused.
    public let ceiling: Ceiling
    /// What could still have been given.
    public let remaining: Credits
    /// The budget's limit; nil for the wallet.
    public let limit: Credits?
    /// What was charged to the budget already; nil for the wallet.
    public let charged: Credits?
    /// What was held already; nil for the gate.
    public let held: Credits?
    /// First day, as `2026-12-01`, on which the budget starts anew; nil where it never does.
    public let resetsOn: String?
    /// The provider's balance at the last reading; nil without one, and for a budget.
    public let reading: Credits?
    /// Age of that reading in seconds.
    public let readingAgeSeconds: Int64?
    /// Why the gate is closed; nil for other ceilings.
    public let cause: GateCause?
    /// What a reading must show for the gate to open; nil for other ceilings.
    public let needed: Credits?

    enum CodingKeys: String, CodingKey {
        case ceiling, cause
        case remaining = "remaining_credits"
        case limit = "limit_credits"
        case charged = "charged_credits"
        case held = "held_credits"
        case resetsOn = "resets_on"
        case reading = "reading_credits"
        case readingAgeSeconds = "reading_age_seconds"
        case needed = "needed_credits"
    }
}

extension RefusalReason: CustomStringConvertible {
    /// One sentence for the person who was refused.
    public var description: String {
        switch ceiling {
        case .projectDay, .projectMonth, .projectTotal:
            let period = ceiling == .projectDay ? "day" : ceiling == .projectMonth ? "month" : "total"
            let reset = resetsOn.map { "; it resets on \($0)" } ?? ""
            return
                "the project's \(period) budget of \(limit ?? .zero) credits has \(remaining) left "
                + "(\(charged ?? .zero) charged, \(held ?? .zero) held)\(reset)"
        case .wallet:
            return
                "the wallet can give \(remaining) more credits (reading \(reading ?? .zero), "
                + "\(readingAgeSeconds ?? 0) s old; \(held ?? .zero) held or taken since)"
        case .walletGate:
            if cause == .guardMiss {
                return
                    "the wallet's gate is closed: the provider had fewer credits than its reading said; "
                    + "it opens when a new reading shows \(needed ?? .zero) free"
            }
            return "the wallet's gate is closed: its balance was never read"
        }
    }
}
