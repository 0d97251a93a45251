/// How long a budget lasts before it starts anew, in the wallet's time zone.
public enum BudgetPeriod: String, CaseIterable, Codable, Sendable {
    /// One day.
    case day
    /// One calendar month; every project has such a budget.
    case month
    /// For good: never starts anew.
    case total
}
