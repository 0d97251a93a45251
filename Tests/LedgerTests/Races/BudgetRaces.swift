import Accounting
import Foundation
import TestDatabase

@testable import Ledger

extension Race {
    static let budgets =
        BudgetPeriod.allCases.map(tightBudget) + [lateBudget, loweredBudget]

    /// Room for six tasks, one of which is held; each of the eight asks for three in one group.
    private static func tightBudget(_ period: BudgetPeriod) -> Race {
        Race(rule: "a \(period.rawValue) budget is shared to the credit", mutants: mutants(of: period)) { round in
            let books = try await round.books(month: period == .month ? 252 : 1_000_000)
            if period != .month { try await books.setBudget(of: "alpha", period, to: .credits(252), at: .sample) }
            try await books.hold()
            return try await round.reserve(5, of: books)
        }
    }

    private static func mutants(of period: BudgetPeriod) -> [Mutant] {
        switch period {
        case .month:
            [
                Mutant("takes no lock", sign: "was told", .function("reserve", "FOR UPDATE;", ";")),
                Mutant("takes no lock, and adds to what it finds", sign: "verify admission", changes: Change.noLock),
                Mutant(
                    "checks the budget before it takes the lock", sign: "verify admission",
                    .function("reserve", "FOR UPDATE;", ";"),
                    .function(
                        "reserve", "v_left_before := v_remaining;",
                        """
                        v_left_before := v_remaining;
                        SELECT b.* INTO STRICT v_balance FROM wallet_balance b WHERE b.wallet_id = p_wallet_id FOR UPDATE;
                        v_available := available_credits(v_balance);
                        v_entry := v_balance.last_entry_number;
                        v_held := v_balance.held_credits;
                        """)),
                Mutant(
                    "does not check the month", sign: "verify admission",
                    .function(
                        "reserve", "v_limits[i] - v_counted[i]",
                        "CASE WHEN v_periods[i] <> 'month' THEN v_limits[i] - v_counted[i] END")),
                Mutant(
                    "does not count an admission for the next of its group", sign: "verify admission",
                    .function(
                        "reserve", "v_remaining[v_project] := v_remaining[v_project] - v_amount;", "")),
                Mutant(
                    "does not write what it used", sign: "verify admission",
                    .function("reserve", "counter.held_credits + moved.credits", "counter.held_credits")),
            ]
        case .day:
            [
                Mutant(
                    "does not check the day", sign: "verify admission",
                    .function(
                        "reserve", "v_limits[i] - v_counted[i]",
                        "CASE WHEN v_periods[i] <> 'day' THEN v_limits[i] - v_counted[i] END")),
                Mutant(
                    "does not count an admission of the day for the next of its group", sign: "verify admission",
                    .function(
                        "reserve", "v_remaining[v_project] := v_remaining[v_project] - v_amount;", "")),
            ]
        case .total:
            [
                Mutant(
                    "does not check the total", sign: "verify admission",
                    .function(
                        "reserve", "v_limits[i] - v_counted[i]",
                        "CASE WHEN v_periods[i] <> 'total' THEN v_limits[i] - v_counted[i] END")),
                Mutant(
                    "does not count an admission of the total for the next of its group", sign: "verify admission",
                    .function(
                        "reserve", "v_remaining[v_project] := v_remaining[v_project] - v_amount;", "")),
            ]
        }
    }

    /// The counter does not exist when the racers come.
    private static let lateBudget = Race(
        rule: "the counter of a budget is made once, with what was spent before",
        mutants: [
            Mutant(
                "starts the counter at nothing", sign: "verify admission",
                .function(
                    "reserve", "coalesce(sum(spent.held_credits), 0), coalesce(sum(spent.charged_credits), 0)", "0, 0")),
            Mutant("takes no lock", sign: "budget_counter_one_per_period", .function("reserve", "FOR UPDATE;", ";")),
        ]
    ) { round in
        let books = try await round.books()
        for _ in 1...3 { try await books.hold() }
        try await books.setBudget(of: "alpha", .day, to: .credits(252), at: .sample)
        return try await round.reserve(3, of: books)
    }

    /// Two lower the limit to what is used while six ask for more.
    private static let loweredBudget = Race(
        rule: "a limit holds from its entry on",
        mutants: [
            Mutant(
                "reads the limits before it takes the lock", sign: "verify admission",
                .function(
                    "reserve", "v_available       bigint;",
                    """
                    v_available       bigint;
                    v_early jsonb := (SELECT jsonb_object_agg(b.project_id || b.period, b.limit_credits)
                                      FROM budget b WHERE b.wallet_id = p_wallet_id);
                    """),
                .function(
                    "reserve", "array_agg(budget.limit_credits)",
                    "array_agg((v_early ->> (project.project_id || budget.period))::bigint)")),
            Mutant(
                "numbers a limit before it takes the lock", sign: "verify entry_",
                .function(
                    "set_budget", "v_entry bigint;",
                    """
                    v_entry bigint;
                    v_early bigint := (SELECT last_entry_number + 1 FROM wallet_balance WHERE wallet_id = p_wallet_id);
                    """),
                .function("set_budget", "VALUES (p_wallet_id, v_entry,", "VALUES (p_wallet_id, v_early,"),
                .drop(constraint: "budget_change_key", of: "budget_change")),
            Mutant(
                "gives a limit no number of its own", sign: "verify entry_",
                .function(
                    "set_budget", "SET last_entry_number = last_entry_number + 1",
                    "SET last_entry_number = last_entry_number"
                ),
                .drop(constraint: "budget_change_key", of: "budget_change")),
        ]
    ) { round in
        let books = try await round.books(month: 420)
        for _ in 1...2 { try await books.hold() }
        let heat = try await round.heat(books) { books, racer in
            if racer < 2 {
                try await books.setBudget(of: "alpha", .month, to: .credits(84), at: .sample)
            } else {
                _ = try await books.reserve(.sample())
            }
        }
        return try await heat.problems + round.verification()
    }
}

extension Round {
    /// Lets each racer ask for three tasks, some in one group and some through their queue, and counts who got theirs.
    func reserve(_ room: Int, of books: Ledger) async throws -> [String] {
        let heat = try await heat(books) { books, racer in
            guard racer.isMultiple(of: 2) else { return try await books.decide((0..<3).map { _ in .sample() }) }
            async let first = books.reserve(.sample())
            async let second = books.reserve(.sample())
            async let third = books.reserve(.sample())
            return try await [first, second, third]
        }
        let reserved = heat.answers.values.joined().count { $0.reservation != nil }
        let refused = heat.answers.values.joined().count { $0.refusal != nil }
        return try await heat.problems
            + unless((reserved, refused) == (room, 24 - room), "answers: \(reserved) reserved, \(refused) refused")
            + verification()
    }
}
