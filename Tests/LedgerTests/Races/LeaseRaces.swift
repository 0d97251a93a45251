import Accounting
import Foundation
import Postgres
import TestDatabase

@testable import Ledger

extension Race {
    /// Thirty-three tasks that were taken before, one of them locked.
    static let claims = Race(
        rule: "a due task is leased to one worker, and none waits for another",
        mutants: [
            Mutant(
                "locks no task", sign: "leased twice",
                .function("claim", "LIMIT v_room\n                FOR UPDATE SKIP LOCKED", "LIMIT v_room")),
            Mutant(
                "waits for a locked task", sign: "waited",
                .function("claim", "LIMIT v_room\n                FOR UPDATE SKIP LOCKED", "LIMIT v_room FOR UPDATE")),
            Mutant(
                "leaves a leased task due", sign: "leased twice",
                .function("claim", "due_at = excluded.due_at, ", "")),
        ]
    ) { round in
        let books = try await round.books()
        let first = try await books.hold(.sample(at: .sample - 60))
        _ = try await books.decide((0..<32).map { _ in .sample() })
        try await round.course.owner.execute(
            "SELECT leave_groups(wallet_id, task_ids), queue_again(wallet_id, task_ids) FROM queued_group")
        return try await round.claims(of: 33, behind: .task(first), books)
    }

    /// The same before any worker has taken one: one of them by itself, eight together, twenty-four together.
    static let firstClaims = Race(
        rule: "a task that none has taken yet is leased to one worker, and none waits for another",
        mutants: [
            Mutant(
                "locks no group", sign: "task_work_one_per_task",
                .function("claim", "LIMIT 1\n                FOR UPDATE SKIP LOCKED", "LIMIT 1")),
            Mutant(
                "waits for a locked group", sign: "waited",
                .function("claim", "LIMIT 1\n                FOR UPDATE SKIP LOCKED", "LIMIT 1 FOR UPDATE")),
            Mutant(
                "drops what was not taken", sign: "were lost",
                .function("claim", "v_group[v_count + 1:]", "v_group[v_count + 2:]")),
        ]
    ) { round in
        let books = try await round.books()
        let first = try await books.hold()
        _ = try await books.decide((0..<8).map { _ in .sample() })
        _ = try await books.decide((0..<24).map { _ in .sample() })
        return try await round.claims(of: 33, behind: .group(of: first), books)
    }

    /// Four take what waits in one group, one by one, while four persons release some of the same.
    static let leaving = Race(
        rule: "a task that none has taken yet is leased to a worker or ended by a person, never both",
        mutants: [
            Mutant(
                "locks no group that a task leaves", sign: "were taken",
                .function("leave_groups", "LIMIT 1 FOR UPDATE", "LIMIT 1")),
            Mutant(
                "drops one of those that stay", sign: "were lost",
                .function("leave_groups", "task_ids = v_rest", "task_ids = v_rest[least(2, cardinality(v_rest)):]")),
        ]
    ) { round in
        let books = try await round.books()
        let tasks = try await books.decide((0..<32).map { _ in .sample() }).compactMap(\.reservation?.taskID)
        let heat = try await round.heat(books, behind: .open) { books, racer in
            var taken: [TaskID] = []
            for turn in 0..<4 {
                if racer < 4 {
                    taken += try await round.claim(upTo: 1, by: books).keys
                    continue
                }
                // From the middle on: the workers begin at the front.
                let task = tasks[8 + 4 * turn + racer]
                if try await books.resolve(task, charged: 0) == .settled { taken.append(task) }
            }
            return taken
        }
        let taken = heat.answers.values.joined()
        let waiting = try await round.number(
            "SELECT coalesce(sum(cardinality(task_ids)), 0)::bigint FROM queued_group WHERE wallet_id = $1", of: books)
        let found = taken.count + Int(waiting)
        return try await heat.problems
            + unless(
                found <= tasks.count, "groups: \(found - tasks.count) were taken and still wait, or were taken twice")
            + unless(found >= tasks.count, "groups: \(tasks.count - found) were lost")
            + unless(Set(taken).count == taken.count, "groups: \(taken.count - Set(taken).count) were taken twice")
            + round.verification()
    }

    /// A lease has run out: two take the task over and settle it, while six settle it under the old lease.
    static let takeover = Race(
        rule: "a worker that lost its lease settles nothing",
        mutants: [
            Mutant(
                "does not compare the tokens", sign: "fencing",
                .function("settle", "p_lease_tokens[i] <> coalesce(v_task.lease_token, -1)", "false")),
            Mutant(
                "does not raise the token", sign: "fencing",
                .function("claim", "p_lease_until, lease_token + 1", "p_lease_until, lease_token")),
        ]
    ) { round in
        let books = try await round.books()
        let task = try await books.running()
        let old = try await round.claim(by: books, until: .sample + 8)[task] ?? -1
        let heat = try await round.heat(books) { books, racer -> SettlementOutcome? in
            guard racer < 6 else {
                guard let token = try await round.claim(by: books, at: .sample + 8)[task] else { return nil }
                return try await books.settle(task, token, .succeeded, charged: 42)
            }
            return try await books.settle(task, old, .failed, charged: 0)
        }
        let late = heat.answers.filter { $0.key < 6 }.values.count { $0 != .fenced && $0 != .alreadySettled }
        let charged = try await round.number(
            "SELECT charged_credits FROM wallet_balance WHERE wallet_id = $1", of: books)
        return try await heat.problems + unless(late == 0, "fencing: \(late) settled under a lost lease")
            + unless(charged == 42, "fencing: \(charged) charged, not 42") + round.verification()
    }

    /// The worker that lost its lease gives the task back and extends its lease, over and over.
    static let lostLease = Race(
        rule: "a worker that lost its lease neither gives the task back nor extends the lease",
        mutants: [
            Mutant(
                "does not compare the tokens when a task is given back", sign: "was given back",
                .function("schedule", "AND work.lease_token = given.lease_token", "", times: 2)),
            Mutant(
                "does not compare the tokens when a lease is extended", sign: "was extended",
                .function("extend_leases", "AND work.lease_token = asked.lease_token", "")),
        ]
    ) { round in
        let books = try await round.books()
        let task = try await books.hold()
        let old = try await round.claim(by: books, until: .sample + 8)[task] ?? -1
        let new = try await round.claim(by: books, at: .sample + 8, until: .sample + 60)[task] ?? -1
        let heat = try await round.heat(books, behind: .open) { books, racer -> String? in
            for _ in 1...5 {
                switch racer {
                case ..<3: try await round.giveBack(task, old, by: books, dueAt: .sample)
                case ..<5:
                    let held = try await round.extend([task: old], by: books, until: .sample + 90)
                    if !held.isEmpty { return "a lost lease was extended" }
                case 5: _ = try await round.extend([task: new], by: books, until: .sample + 60)
                default:
                    if try await !round.claim(by: books, at: .sample + 9).isEmpty { return "a lease was given away" }
                }
            }
            return nil
        }
        let kept = try await round.number(
            """
            SELECT count(*) FROM task_work
            WHERE wallet_id = $1 AND leased AND state = 'sending' AND due_at = timestamptz '2026-05-12T10:01:00Z'
            """, of: books)
        return try await heat.problems + heat.answers.values.compactMap { $0.map { "leases: \($0)" } }
            + unless(kept == 1, "leases: what another had leased was given back") + round.verification()
    }

    /// One of two leased tasks is being written while all extend both.
    static let heldRow = Race(
        rule: "nobody waits to extend a lease",
        mutants: [
            Mutant("waits for a locked task", sign: "waited", .function("extend_leases", "SKIP LOCKED", ""))
        ]
    ) { round in
        let books = try await round.books()
        let locked = try await books.hold()
        let free = try await books.hold()
        let leases = try await round.claim(by: books, until: .sample + 8)
        let heat = try await round.heat(books, behind: .task(locked)) { books, _ in
            // Those who extend at once pass over each other, too.
            var held: Set<TaskID> = []
            for _ in 1...20 where held.isEmpty { held = try await round.extend(leases, by: books, until: .sample + 16) }
            return held
        }
        let extended = heat.answers.values.reduce(into: Set<TaskID>()) { $0.formUnion($1) }
        return heat.problems + unless(heat.waited == 0, "leases: \(heat.waited) waited")
            + unless(extended == [free], "leases: \(extended.count) of the tasks were extended")
    }

    /// One gives the task back while seven extend the lease that it ends.
    static let givenBack = Race(
        rule: "a task that was given back is due when its worker said",
        mutants: [
            Mutant(
                "extends what is not leased any more", sign: "is not due",
                .function("extend_leases", "AND work.leased", ""))
        ]
    ) { round in
        let books = try await round.books()
        let task = try await books.hold()
        let token = try await round.claim(by: books, until: .sample + 8)[task] ?? -1
        let heat = try await round.heat(books, behind: .open) { books, racer in
            if racer == 0 { return try await round.giveBack(task, token, by: books, dueAt: .sample + 5) }
            for _ in 1...10 { _ = try await round.extend([task: token], by: books, until: .sample + 60) }
        }
        let due = try await round.claim(by: books, at: .sample + 5)
        return try await heat.problems + unless(due.count == 1, "leases: a task that was given back is not due")
            + round.verification()
    }

    /// A worker takes a task to send it; seven persons release it, who come to the books only after that.
    static let beingSent = Race(
        rule: "no person ends what a worker sends at this moment",
        mutants: [
            Mutant(
                "does not look whether it is being sent", sign: "persons: ",
                .function(
                    "known_tasks", "found.state = 'sending' AND found.leased AND", "false AND")),
            Mutant(
                "does not mark a task as being sent", sign: "persons: ",
                .function("claim", "'sending', p_lease_until", "'queued', p_lease_until")),
        ]
    ) { round in
        let books = try await round.books()
        let task = try await books.hold()
        let heat = try await round.heat(books) { books, racer -> SettlementOutcome? in
            if racer == 0 {
                _ = try await round.claim(by: books)
                return nil
            }
            return try await books.resolve(task, charged: 0)
        }
        let resolved = heat.answers.values.compactMap(\.self).count { $0 != .beingSent }
        return try await heat.problems + unless(resolved == 0, "persons: \(resolved) ended what was being sent")
            + round.verification()
    }
}

extension Round {
    /// Each of the eight takes four, twice, while one is locked.
    fileprivate func claims(of count: Int, behind gate: Course.Gate, _ books: Ledger) async throws -> [String] {
        let heat = try await heat(books, behind: gate) { books, _ in
            try await Array(claim(upTo: 4, by: books).keys) + claim(upTo: 4, by: books).keys
        }
        let leased = Array(heat.answers.values.joined()) + (try await claim(by: books).keys)
        return try await heat.problems + unless(heat.waited == 0, "leases: \(heat.waited) waited")
            + unless(Set(leased).count == leased.count, "leases: \(leased.count - Set(leased).count) leased twice")
            + unless(Set(leased).count == count, "leases: \(count - Set(leased).count) were lost")
            + verification()
    }
}
