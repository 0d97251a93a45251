import Accounting
import Foundation
import Postgres
import TestDatabase
import UsageSQL

@testable import Ledger

extension Race {
    /// All ask under one name, three times each, and one of them for something else.
    static let sameName = Race(
        rule: "a name is answered once",
        mutants: [
            Mutant(
                "has nothing that keeps two answers apart", sign: "names: ",
                .drop(constraint: "client_request_answered_once", of: "client_request")),
            Mutant(
                "does not look the name up when it is there already", sign: "client_request_answered_once",
                .function(
                    "reserve", "known.client_request_id = asked.client_request_id) IS NOT NULL", "false) IS NOT NULL")),
            Mutant(
                "does not look for the name within the group", sign: "client_request_answered_once",
                .function("reserve", "SELECT asked.turn > 1", "SELECT false")),
            Mutant(
                "does not compare what was asked for", sign: "answers: the other question",
                .function(
                    "reserve", "WHEN first.request_sha256 <> p_request_sha256s[asked.place] THEN",
                    "WHEN false THEN")),
        ]
    ) { round in
        let books = try await round.books()
        // The counters exist, so that the racers meet over the name.
        try await books.hold()
        let heat = try await round.heat(books) { books, racer -> [ReservationOutcome]? in
            do {
                return try await books.decide(
                    (0..<3).map { _ in .sample(named: "order", asking: racer == 7 ? "a train" : "a boat") })
            } catch LedgerError.clientRequestConflict("order") { return nil }
        }
        let tasks = try await round.number("SELECT count(*) FROM reservation WHERE wallet_id = $1", of: books)
        let answers = Set(heat.answers.values.compactMap(\.self).joined().map(\.reservation?.taskID))
        let asOthers = heat.answers.filter { $0.key < 7 }.values.count { $0 != nil }
        let isOtherFirst = (heat.answers[7] ?? nil) != nil
        return try await heat.problems + unless(tasks == 2, "names: \(tasks - 1) tasks")
            + unless(answers.count == 1, "names: \(answers.count) answers")
            + unless(
                asOthers == (isOtherFirst ? 0 : 7),
                "answers: the other question was \(isOtherFirst ? "" : "not ")answered, and so were \(asOthers)")
            + round.verification()
    }

    /// Eight complete one task, each with another body.
    static let storesOnce = Race(
        rule: "a task gets one body",
        mutants: [
            Mutant(
                "stores again what is stored", sign: "bodies: ",
                .function("store_request", "AND asked.body IS NULL", ""))
        ]
    ) { round in
        let books = try await round.books()
        let task = try await books.hold(.sample(body: nil))
        let heat = try await round.heat(books, behind: .task(task)) { books, racer in
            let body = Array("{\"racer\":\(racer)}".utf8)
            return try await !books.pool.query(
                round.text(Query.storeRequest), books.wallet.id, task.uuid, body, Date.sample
            ).isEmpty
        }
        let stored = heat.answers.values.count { $0 }
        let bodies = try await round.number(
            "SELECT count(*) FROM client_request WHERE wallet_id = $1 AND body IS NOT NULL", of: books)
        return try await heat.problems
            + unless((stored, bodies) == (1, 1), "bodies: \(bodies) stored, and \(stored) were told so")
            + round.verification()
    }

    /// All record one error, twice each.
    static let errorOnce = Race(
        rule: "an error is recorded once",
        mutants: [
            Mutant("takes no lock", sign: "recorded_error_once", .function("record_errors", "FOR UPDATE;", ";")),
            Mutant(
                "takes no lock, and only the chain keeps two records apart", sign: "P0002",
                .function("record_errors", "FOR UPDATE;", ";"),
                .drop(constraint: "recorded_error_once", of: "recorded_error")),
            Mutant(
                "does not look for the error, and nothing keeps two records apart", sign: "errors: ",
                .function(
                    "record_errors", "WHERE known.wallet_id = p_wallet_id AND known.task_id = asked.task_id",
                    "WHERE false"),
                .drop(constraint: "recorded_error_once", of: "recorded_error")),
            Mutant(
                "does not look for it within the group, and nothing keeps two records apart", sign: "errors: ",
                .function(
                    "record_errors", "DISTINCT ON (given.task_id, given.act, given.attempt, given.occurred_at)", ""),
                .drop(constraint: "recorded_error_once", of: "recorded_error")),
        ]
    ) { round in
        let books = try await round.books()
        let task = try await books.hold()
        let heat = try await round.heat(books) { books, _ in
            let error = RecordedError(
                taskID: task, act: .create, attempt: 1, code: "insufficient_credits", httpStatus: 402, requestID: nil,
                message: "no", occurredAt: .sample)
            _ = try await books.group([.record(error), .record(error)])
        }
        let errors = try await round.number("SELECT count(*) FROM recorded_error WHERE wallet_id = $1", of: books)
        let misses = try await round.number("SELECT guard_misses FROM wallet_balance WHERE wallet_id = $1", of: books)
        return try await heat.problems
            + unless((errors, misses) == (1, 1), "errors: \(errors) recorded, \(misses) misses counted")
            + round.verification()
    }
}
