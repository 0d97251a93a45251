import Accounting
import Foundation
import Postgres
import TestDatabase

@testable import Ledger

extension Race {
    /// Four workers with the lease and four persons end one task, twice each, and never the same way.
    static let settlesOnce = Race(
        rule: "a hold ends once",
        mutants: [
            // The settlement's key or the chain's, whichever is written first.
            Mutant("takes no lock", sign: "duplicate key", changes: Change.noSettlementLock),
            Mutant(
                "takes no lock, and nothing keeps two settlements apart", sign: "settlements: ",
                changes: Change.noSettlementLock + [
                    .drop(constraint: "settlement_one_per_reservation", of: "settlement")
                ]),
            Mutant(
                "does not look for a settlement, and nothing keeps two apart", sign: "settlements: ",
                .function(
                    "known_tasks", "AS ended ON true", "AS ended ON false"),
                .drop(constraint: "settlement_one_per_reservation", of: "settlement")),
            Mutant(
                "books two endings of one group, and nothing keeps them apart", sign: "settlements: ",
                .function("settle", "v_has_ended[v_first[i]] := true;", "NULL;"),
                .drop(constraint: "settlement_one_per_reservation", of: "settlement")),
        ]
    ) { round in
        let books = try await round.books()
        let task = try await books.running()
        // Others run, so that no figure falls below zero should the task end more than once.
        for _ in 1...16 { _ = try await books.running() }
        let token = try await books.lease(task).leaseToken
        let heat = try await round.heat(books) { books, racer in
            try await books.settle(
                [42, 0].map { charged in
                    racer < 4
                        ? .sample(of: task, token, charged > 0 ? .succeeded : .failed, charged: charged)
                        : Settlement(
                            resolving: task, charged: .credits(charged), by: "mara", reason: "asked support",
                            at: .sample, recheckAt: .sample)
                })
        }
        let outcomes = heat.answers.values.joined()
        let settled = outcomes.count { $0 == .settled }
        let others = outcomes.count { $0 == .alreadySettled || $0 == .fenced }
        let booked = try await round.number(
            """
            SELECT (SELECT count(*) FROM settlement WHERE wallet_id = $1)
                 + (SELECT count(*) FROM correction WHERE wallet_id = $1)
            """, of: books)
        return try await heat.problems
            + unless(
                (settled, others, booked) == (1, 15, 1),
                "settlements: \(booked) booked, \(settled) told that it was theirs, \(others) that it was not")
            + round.verification()
    }

    /// Six bring one acceptance and two bring another, each followed in its group by a third.
    static let acceptsOnce = Race(
        rule: "a task is accepted once",
        mutants: [
            Mutant("takes no lock", sign: "acceptance_one_per_task", changes: Change.noAcceptanceLock),
            Mutant(
                "takes no lock, and only the chain keeps two acceptances apart", sign: "entry_link_",
                changes: Change.noAcceptanceLock + [
                    .drop(constraint: "acceptance_one_per_task", of: "acceptance"),
                    .drop(constraint: "acceptance_one_task_per_provider_task", of: "acceptance"),
                ]),
            Mutant(
                "counts a second acceptance again, and nothing keeps two apart", sign: "acceptances: ",
                .function("accept", "coalesce(v_task.provider_task_id, CASE", "coalesce(NULL, CASE"),
                .function("accept", "v_task.provider_task_id IS NOT NULL OR v_first[i] < i", "v_first[i] < i"),
                .drop(constraint: "acceptance_one_per_task", of: "acceptance"),
                .drop(constraint: "acceptance_one_task_per_provider_task", of: "acceptance")),
            Mutant(
                "does not look for a second acceptance in the group", sign: "acceptance_one_per_task",
                .function("accept", "CASE WHEN v_first[i] < i THEN p_provider_task_ids[v_first[i]] END", "NULL"),
                .function(
                    "accept", "v_task.provider_task_id IS NOT NULL OR v_first[i] < i",
                    "v_task.provider_task_id IS NOT NULL")),
        ]
    ) { round in
        let books = try await round.books()
        let task = try await books.hold()
        for _ in 1...16 { try await books.hold() }
        _ = try await round.claim(by: books)
        let heat = try await round.heat(books) { books, racer in
            try await books.accept(
                [racer < 6 ? "p-1" : "p-2", "p-3"].map {
                    Acceptance(
                        taskID: task, providerTaskID: $0, reserved: .credits(60), acceptedAt: .sample, pollAt: .sample)
                })
        }
        let accepted = heat.answers.values.joined().count { $0 == .accepted }
        let winner = heat.answers.first { $0.value.first == .accepted }?.key
        let others = heat.answers.filter { racer, outcomes in
            let isSame = winner.map { ($0 < 6) == (racer < 6) } ?? false
            let first: AcceptanceOutcome =
                racer == winner ? .accepted : isSame ? .alreadyAccepted : .otherProviderTask
            return outcomes != [first, .otherProviderTask]
        }
        let booked = try await round.number("SELECT count(*) FROM acceptance WHERE wallet_id = $1", of: books)
        return try await heat.problems
            + unless(
                (accepted, booked, others.count) == (1, 1, 0),
                "acceptances: \(booked) booked, \(accepted) told that it was theirs, \(others) told something else")
            + round.verification()
    }

    /// Four tasks are accepted, at more than their price, while a person releases each.
    static let acceptedAndReleased = Race(
        rule: "an acceptance and a release add up, whichever comes first",
        mutants: [
            Mutant("settles without the lock", sign: "was told", changes: Change.noSettlementLock),
            Mutant("accepts without the lock", sign: "was told", changes: Change.noAcceptanceLock),
            Mutant(
                "holds for a task that has ended", sign: "verify wallet_balance",
                .function("accept", "IF v_task.ended_as IS NULL THEN", "IF true THEN")),
        ]
    ) { round in
        let books = try await round.books()
        let tasks = try await books.decide((0..<4).map { _ in .sample() }).compactMap(\.reservation?.taskID)
        for _ in 1...16 { try await books.hold() }
        let heat = try await round.heat(books) { books, racer in
            if racer < 4 {
                try await books.accept(tasks[racer], reserved: 60) == .accepted
            } else {
                try await books.resolve(tasks[racer - 4], charged: 0) == .settled
            }
        }
        let refused = heat.answers.values.count { !$0 }
        return try await heat.problems + unless(refused == 0, "answers: \(refused) were turned away")
            + round.verification()
    }
}
