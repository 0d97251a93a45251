import Accounting
import Foundation
import Ledger
import Postgres
import TestDatabase
import Testing

@Suite(.books) struct `Ten thousand callers at once` {
    @Test func `get the wallet's last 42 credits once`() async throws {
        let ledger = try await Ledger.sample(reading: 42)
        let reserved = try await withThrowingTaskGroup { group in
            for _ in 0..<10_000 {
                group.addTask { try await ledger.reserve(.sample()).reservation != nil }
            }
            return try await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
        }
        #expect(reserved == 1)
        #expect(try await ledger.balance.available == .zero)
        #expect(try await ledger.balance.held == .credits(42))
        #expect(try await TestDatabase.current.number("SELECT count(*) FROM refusal") == 9_999)
    }
}

@Suite(.books) struct `A queue of acts` {
    @Test func `answers at once when as many wait as may`() async throws {
        let ledger = try await Ledger.sample()
        let settlement = Settlement(
            taskID: .make(at: .sample), leaseToken: 1, outcome: .failed, charged: .zero, settledAt: .sample)
        try await whileBusy(ledger) { owner in
            await withTaskGroup { group in
                // A second group may be sent behind the one that waits.
                for _ in 0...Ledger.queueLimit + Ledger.groupLimit {
                    group.addTask {
                        await problem { () throws(LedgerError) in _ = try await ledger.settle(settlement) }
                    }
                }
                #expect(await group.next() == .overloaded)
                #expect(await problem { () throws(LedgerError) in try await owner.commit() } == nil)
                #expect(await group.allSatisfy { $0 == nil || $0 == .overloaded })
            }
        }
        try await ledger.hold()
    }

    @Test func `lets a cancelled caller go while others are written`() async throws {
        let ledger = try await Ledger.sample()
        try await whileBusy(ledger) { _ in
            let cancelled = Task { await problem { () throws(LedgerError) in _ = try await ledger.reserve(.sample()) } }
            cancelled.cancel()
            #expect(await cancelled.value == .cancelled)
        }
        #expect(try await ledger.balance.held == .credits(42))
    }

    @Test func `does not lose a group to a caller who is cancelled while it is written`() async throws {
        let ledger = try await Ledger.sample()
        let outcomes = await withTaskGroup { group in
            for caller in 0..<400 {
                group.addTask {
                    let asking = Task {
                        await problem { () throws(LedgerError) in _ = try await ledger.reserve(.sample()) }
                    }
                    if caller.isMultiple(of: 3) { asking.cancel() }
                    return (wasCancelled: caller.isMultiple(of: 3), problem: await asking.value)
                }
            }
            return await group.reduce(into: [(wasCancelled: Bool, problem: LedgerError?)]()) { $0.append($1) }
        }
        #expect(outcomes.allSatisfy { $0.problem == nil || $0.wasCancelled && $0.problem == .cancelled })
        let held = outcomes.count { $0.problem == nil }
        #expect(try await ledger.balance.held == .credits(42 * Int64(held)))
        #expect(
            try await TestDatabase.current.number("SELECT sum(cardinality(task_ids))::bigint FROM queued_group")
                == Int64(held))
    }

    @Test func `spoils nothing but an act that cannot be written`() async throws {
        let ledger = try await Ledger.sample()
        let (good, bad) = (try await ledger.hold(), try await ledger.hold())
        let names = [String(repeating: "x", count: 129), "a\u{0}b", ""] + (0..<100).map { "order-\($0)" }
        let problems = await withTaskGroup { group in
            for name in names {
                group.addTask {
                    await problem { () throws(LedgerError) in _ = try await ledger.reserve(.sample(named: name)) }
                }
            }
            for (task, reserved) in [(bad, -1), (good, 42)] as [(TaskID, Int64)] {
                group.addTask {
                    await problem { () throws(LedgerError) in
                        _ = try await ledger.accept(.sample(of: task, reserved: reserved))
                    }
                }
            }
            return await group.reduce(into: [LedgerError?]()) { $0.append($1) }
        }
        #expect(problems.count { $0 == nil } == 101)
        #expect(problems.count { if case .database(let error) = $0 { !error.isTransient } else { false } } == 4)
        #expect(try await ledger.balance.held == .credits(102 * 42))
    }

    /// Does something while a group is being written that cannot be finished before the owner commits.
    private func whileBusy(_ ledger: Ledger, _ body: @escaping @Sendable (Connection) async -> Void) async throws {
        let observer = TestDatabase.current.pool(maximumConnections: 1)
        try await TestDatabase.current.pool(maximumConnections: 1).withConnection { (owner) throws(PostgresError) in
            try await owner.execute("BEGIN")
            try await owner.execute("SELECT FROM wallet_balance FOR UPDATE")
            async let busy = ledger.reserve(.sample())
            while try await observer.query(blocked).isEmpty {}
            await body(owner)
            try await owner.execute("COMMIT")
            _ = try? await busy
        }
    }
}

extension Connection {
    fileprivate func commit() async throws(LedgerError) {
        do throws(PostgresError) { try await execute("COMMIT") } catch { throw .database(error) }
    }
}

/// What a call throws.
private func problem(_ call: () async throws(LedgerError) -> Void) async -> LedgerError? {
    do throws(LedgerError) {
        try await call()
        return nil
    } catch { return error }
}
