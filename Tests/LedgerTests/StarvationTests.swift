import Accounting
import Foundation
import Postgres
import TestDatabase
import Testing

@testable import Ledger

/// The kind of who has waited longest goes first, so nobody waits for the end of others who ask again and again. How long somebody
/// waits is counted in groups.
@Suite struct `Acts of a kind that few ask for` {
    /// One act of each kind.
    private static let acts: [Act] = [
        .reserve(.sample()),
        .accept(
            Acceptance(
                taskID: .make(at: .sample), providerTaskID: "p", reserved: nil, acceptedAt: .sample, pollAt: .sample)),
        .settle(
            Settlement(taskID: .make(at: .sample), leaseToken: 1, outcome: .failed, charged: .zero, settledAt: .sample)),
        .record(
            RecordedError(
                taskID: nil, act: .credits, attempt: 1, code: "timeout", httpStatus: nil, requestID: nil, message: "no",
                occurredAt: .sample)),
    ]

    /// The most groups that an act may wait for: those who came before it, of which the largest group takes a thousand and a smaller
    /// one half; a group of each other kind; and its own.
    private func bound(ahead: Int) -> Int { ahead / Ledger.groupLimit + 2 + Self.acts.count }

    @Test(arguments: [20, 200, 1_000, 5_000], [1, 7, 8, 30])
    func `go within a few groups, however many of another kind ask again at once`(many: Int, few: Int) {
        for busy in Self.acts {
            for act in Self.acts where act.kind != busy.kind {
                var crowd = Crowd(of: many, asking: busy)
                for _ in 0..<20 { crowd.answerGroup() }
                for _ in 0..<few { crowd.ask(act) }
                for _ in 0..<100 where crowd.waits.count < few { crowd.answerGroup() }
                #expect(crowd.waits.count == few, "\(few) of \(act.kind) among \(many) of \(busy.kind)")
                for wait in crowd.waits { #expect(wait.groups <= bound(ahead: wait.ahead), "\(wait)") }
            }
        }
    }

    @Test(arguments: [20, 200, 5_000])
    func `go within a few groups while each other kind asks beside each group`(many: Int) {
        for busy in Self.acts {
            var crowd = Crowd(of: many, asking: busy)
            for _ in 0..<200 {
                for act in Self.acts where act.kind != busy.kind { crowd.ask(act) }
                crowd.answerGroup()
            }
            let asked = 200 * (Self.acts.count - 1)
            for _ in 0..<100 where crowd.waits.count < asked { crowd.answerGroup() }
            #expect(crowd.waits.count == asked, "among \(many) of \(busy.kind)")
            for wait in crowd.waits { #expect(wait.groups <= bound(ahead: wait.ahead), "\(wait)") }
        }
    }
}

/// Callers who ask again as soon as they are answered, and others among them who ask once.
private struct Crowd {
    /// How long somebody waited who asked once.
    struct Wait {
        /// How many groups were taken, its own included.
        let groups: Int
        /// How many waited when it came.
        let ahead: Int
    }

    private enum Caller {
        case again
        case once(groups: Int, ahead: Int)
    }

    /// Of those who asked once and are in a group, in the order in which they were taken.
    private(set) var waits: [Wait] = []
    private var queue = ActQueue<Caller>()
    private var underWay: [[ActQueue<Caller>.Waiting]] = []
    private var groups = 0

    init(of count: Int, asking act: Act) {
        for _ in 0..<count { ask(act, .again) }
    }

    mutating func ask(_ act: Act) { ask(act, .once(groups: groups, ahead: queue.count)) }

    /// Answers the oldest group, and lets its callers ask again one by one.
    mutating func answerGroup() {
        guard !underWay.isEmpty else {
            queue.stopExpecting()
            takeGroups()
            return
        }
        let answered = underWay.removeFirst()
        queue.noteAnswered()
        takeGroups()
        for entry in answered { if case .again = entry.caller { ask(entry.act, .again) } }
    }

    private mutating func ask(_ act: Act, _ caller: Caller) {
        queue.append(.init(number: queue.makeNumber(), act: act, caller: caller))
        takeGroups()
    }

    private mutating func takeGroups() {
        while let group = queue.takeGroup() {
            groups += 1
            underWay.append(group)
            for case .once(let before, let ahead) in group.map(\.caller) {
                waits.append(Wait(groups: groups - before, ahead: ahead))
            }
        }
    }
}

@Suite(.books, .timeLimit(.minutes(10))) struct `Callers of a kind that few ask for` {
    /// Callers who reserve again as soon as they are answered, at least twice and until it is over; at most 40 times.
    private func load(_ count: Int, on ledger: Ledger, until over: Flag) -> [Task<Void, any Error>] {
        (0..<count).map { _ in
            Task {
                for round in 0..<40 where round < 2 || !over.isSet { _ = try await ledger.reserve(.sample()) }
            }
        }
    }

    @Test(arguments: [3, 12])
    func `are answered within six groups of 200 others who ask again at once`(few: Int) async throws {
        let ledger = try await Ledger.sample()
        let tasks = try await ledger.decide((0..<2 * few).map { _ in .sample() }).compactMap(\.reservation?.taskID)
        for task in tasks[..<few] { try await ledger.accept(task) }
        let tokens = try await ledger.claim(upTo: 1000, at: .late, leaseUntil: .late).reduce(into: [:]) {
            $0[$1.id] = $1.leaseToken
        }
        let before = try await TestDatabase.current.number("SELECT last_entry_number FROM wallet_balance")

        let over = Flag()
        let asked = try await TestDatabase.current.pool(maximumConnections: 1).withConnection {
            (owner) throws(PostgresError) in
            // Nobody is answered while somebody else has the wallet's row: two groups are under way, all others wait.
            try await owner.execute("BEGIN")
            try await owner.execute("SELECT FROM wallet_balance FOR UPDATE")
            var others = load(1, on: ledger, until: over)
            await wait { ledger.groupsUnderWay == 1 }
            others += load(8, on: ledger, until: over)
            await wait { ledger.groupsUnderWay == 2 }
            others += load(191, on: ledger, until: over)
            await wait { ledger.waitingCount == 191 }
            let settled = tasks[..<few].map { task in
                Task { try await ledger.settle(task, tokens[task] ?? 0, .succeeded, charged: 42) }
            }
            let accepted = tasks[few...].map { task in Task { try await ledger.accept(task) } }
            let recorded = (1...few).map { attempt in
                Task { try await ledger.record("timeout", of: tasks[few], attempt: attempt) }
            }
            await wait { ledger.waitingCount == 191 + 3 * few }
            try await owner.execute("COMMIT")
            return (others: others, settled: settled, accepted: accepted, recorded: recorded)
        }
        for task in asked.settled { #expect(try await task.value == .settled) }
        for task in asked.accepted { #expect(try await task.value == .accepted) }
        for task in asked.recorded { try await task.value }
        over.set()
        for task in asked.others { try await task.value }

        let groups = try await TestDatabase.current.number(
            """
            SELECT count(DISTINCT xmin::text) FROM reservation
            WHERE entry_number > $1 AND entry_number < (SELECT max(entry_number) FROM (
                SELECT entry_number FROM settlement UNION ALL SELECT entry_number FROM acceptance
                UNION ALL SELECT entry_number FROM recorded_error) AS few)
            """, before)
        #expect((2...6).contains(groups))
    }
}
