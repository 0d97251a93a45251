import Accounting
import Foundation
import Postgres
import TestDatabase

@testable import Ledger

extension Race {
    /// Room for six tasks, one of which is held; each of the eight asks for three.
    static let lastCredits = Race(
        rule: "the wallet's last credits are given out once",
        mutants: [
            Mutant("takes no lock", sign: "was told", .function("reserve", "FOR UPDATE;", ";")),
            Mutant("takes no lock, and adds to what it finds", sign: "overspent", changes: Change.noLock),
            Mutant(
                "reads the balance before it takes the lock", sign: "overspent",
                .function(
                    "reserve", "v_available       bigint;",
                    """
                    v_available bigint;
                    v_early bigint := (SELECT available_credits(b) FROM wallet_balance b WHERE b.wallet_id = p_wallet_id);
                    """),
                .function("reserve", "v_available := available_credits(v_balance);", "v_available := v_early;")),
            Mutant(
                "does not check the wallet", sign: "overspent",
                .function("reserve", "v_balance.gate IS NULL AND v_amount <= v_available", "v_balance.gate IS NULL")
            ),
            Mutant(
                "does not take an admission off for the next of its group", sign: "overspent",
                .function("reserve", "v_available := v_available - v_amount;", "")),
            Mutant(
                "does not count what waits to be taken", sign: "verify wallet_balance",
                .function(
                    "reserve", "waiting_credits = b.waiting_credits + v_held - v_balance.held_credits,", "")),
        ]
    ) { round in
        let books = try await round.books(reading: 252)
        try await books.hold()
        let findings = try await round.reserve(5, of: books)
        return try await findings + round.overspent(books, of: 252)
    }

    /// Five tasks are accepted and a reading that was asked for before is booked, while two ask for three more each.
    static let takenCredits = Race(
        rule: "what the provider takes leaves the wallet once",
        mutants: [
            Mutant(
                "does not count what was taken", sign: "overspent",
                .function("accept", "taken_credits = b.taken_credits + v_all_taken", "taken_credits = b.taken_credits")),
            Mutant(
                "counts what was taken as waiting still", sign: "verify wallet_balance",
                .function("accept", "waiting_credits = b.waiting_credits - v_all_waited,", "")),
            Mutant(
                "believes that a reading has seen what was taken since", sign: "overspent",
                .function(
                    "record_reading", "reading_taken_credits = p_seen_taken", "reading_taken_credits = b.taken_credits")
            ),
        ]
    ) { round in
        let books = try await round.books(reading: 420)
        let running = try await books.decide((0..<5).map { _ in .sample() }).compactMap(\.reservation?.taskID)
        let start = try await books.beginReading()
        let heat = try await round.heat(books) { books, racer in
            switch racer {
            case ..<5:
                try await books.accept(running[racer])
                return 0
            case 5:
                _ = try await books.finishReading(start, current: .credits(420), at: .sample)
                return 0
            default: return try await books.decide((0..<3).map { _ in .sample() }).count { $0.reservation != nil }
            }
        }
        let admitted = heat.answers.values.reduce(0, +)
        return try await heat.problems + unless(admitted == 5, "answers: \(admitted) admitted, not 5")
            + round.overspent(books, of: 420) + round.verification()
    }

    /// Three tasks turn out to cost 100 while five ask for more.
    static let takenBeyondHold = Race(
        rule: "what the provider takes beyond a hold counts for the next admission",
        mutants: [
            Mutant(
                "does not count it against the budget", sign: "verify admission",
                .function(
                    "accept", "SET held_credits = counter.held_credits + moved.credits",
                    "SET held_credits = counter.held_credits")),
            Mutant(
                "does not count it in the day's total", sign: "verify day_total",
                .function("accept", " + changed.credits", "", times: 2)),
            Mutant(
                "does not count it in the wallet", sign: "verify wallet_balance",
                .function("accept", "b.reserved_credits + v_all_differs", "b.reserved_credits"),
                .function("accept", "b.held_credits + v_all_differs", "b.held_credits")),
        ]
    ) { round in
        let books = try await round.books(month: 420)
        let running = try await books.decide((0..<3).map { _ in .sample() }).compactMap(\.reservation?.taskID)
        let heat = try await round.heat(books) { books, racer in
            if racer < 3 {
                try await books.accept(running[racer], reserved: 100)
            } else {
                _ = try await books.decide((0..<3).map { _ in .sample() })
            }
        }
        return try await heat.problems + round.verification()
    }

    /// Two misses are recorded, three readings that were asked for before are booked, three callers ask for more.
    static let gate = Race(
        rule: "nothing is admitted after a guard miss before a reading that was asked for later",
        mutants: [
            Mutant(
                "admits through a closed gate", sign: "admitted after",
                .function(
                    "reserve", "v_balance.gate IS NULL AND v_amount <= v_available", "v_amount <= v_available")),
            Mutant(
                "does not close the gate", sign: "admitted after",
                .function("record_errors", "THEN 'guard_miss' ELSE b.gate END", "THEN b.gate ELSE b.gate END")),
            Mutant(
                "opens the gate with an older reading", sign: "admitted after",
                .function("record_reading", "p_seen_number >= v_balance.gate_entry_number", "true")),
        ]
    ) { round in
        let books = try await round.books()
        let task = try await books.hold()
        let start = try await books.beginReading()
        let heat = try await round.heat(books) { books, racer in
            switch racer {
            case ..<2: try await books.record("insufficient_credits", of: task, attempt: racer + 1)
            case ..<5: _ = try await books.finishReading(start, current: .credits(1_000_000), at: .sample)
            default: _ = try await books.decide((0..<3).map { _ in .sample() })
            }
        }
        let admitted = try await round.number(
            """
            SELECT count(*) FROM reservation WHERE wallet_id = $1
                AND entry_number > (SELECT min(entry_number) FROM recorded_error WHERE wallet_id = $1)
            """, of: books)
        return try await heat.problems + unless(admitted == 0, "gate: \(admitted) admitted after the miss")
            + round.verification()
    }

    /// Eight readings, each asked for after one more hold, are booked at once.
    static let readings = Race(
        rule: "the reading that was asked for last stands",
        mutants: [
            Mutant("takes no lock", sign: "wallet_reading_key", .function("record_reading", "FOR UPDATE;", ";")),
            Mutant(
                "takes the reading that comes last for the newest", sign: "stands",
                .function(
                    "record_reading", "v_newest := p_seen_number >= coalesce(v_balance.reading_seen_number, 0);",
                    "v_newest := true;")),
        ]
    ) { round in
        let books = try await round.books()
        var starts: [ReadingStart] = []
        for _ in 0..<Course.racers {
            try await books.hold()
            starts.append(try await books.beginReading())
        }
        let asked = starts
        let heat = try await round.heat(books) { books, racer in
            _ = try await books.finishReading(asked[racer], current: .credits(5000 + Int64(racer)), at: .sample)
        }
        let standing = try await round.number(
            "SELECT reading_credits FROM wallet_balance WHERE wallet_id = $1", of: books)
        return try await heat.problems + unless(standing == 5007, "readings: \(standing) stands, not 5007")
            + round.verification()
    }
}

extension Round {
    /// What is held beyond what the provider has; nothing of it has been given back.
    fileprivate func overspent(_ books: Ledger, of credits: Int64) async throws -> [String] {
        let held = try await number(
            "SELECT sum(amount_credits)::bigint FROM reservation WHERE wallet_id = $1", of: books)
        return unless(held <= credits, "wallet: overspent by \(held - credits)")
    }
}
