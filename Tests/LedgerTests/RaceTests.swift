import Accounting
import Foundation
import Ledger
import Postgres
import TestDatabase
import Testing

@Suite(.books) struct `Callers at once` {
    /// Lets many callers ask at once, and counts who got their credits.
    private func reserved(_ callers: Int, of ledgers: [Ledger]) async throws -> Int {
        // All are connected before the first asks, so that they meet.
        for ledger in ledgers { _ = try await ledger.nextDue() }
        return try await withThrowingTaskGroup { group in
            for caller in 0..<callers {
                group.addTask { try await ledgers[caller % ledgers.count].reserve(.sample()).reservation != nil }
            }
            return try await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
        }
    }

    @Test func `share a budget to the credit`() async throws {
        let ledger = try await Ledger.sample(month: 420)
        #expect(try await reserved(50, of: [ledger]) == 10)
        #expect(try await ledger.use().remaining == .zero)
        #expect(try await TestDatabase.current.number("SELECT count(*) FROM refusal") == 40)
    }

    @Test func `get the wallet's last 42 credits once, however many they are`() async throws {
        let ledger = try await Ledger.sample(reading: 42)
        #expect(try await reserved(10_000, of: [ledger]) == 1)
        #expect(try await ledger.balance.available == .zero)
        #expect(try await ledger.balance.held == .credits(42))
        #expect(try await TestDatabase.current.number("SELECT count(*) FROM refusal") == 9_999)
    }

    @Test func `share a budget to the credit from several processes`() async throws {
        let ledger = try await Ledger.sample(month: 420)
        #expect(try await reserved(400, of: [ledger, ledger.other(), ledger.other(), ledger.other()]) == 10)
        #expect(try await ledger.use().remaining == .zero)
    }

    @Test func `get the wallet's last credits once from several processes`() async throws {
        let ledger = try await Ledger.sample(reading: 42 * 7)
        #expect(try await reserved(400, of: [ledger, ledger.other(), ledger.other()]) == 7)
        #expect(try await ledger.balance.available == .zero)
    }

    @Test func `make two counters of one period only once`() async throws {
        let ledgers = [try await Ledger.sample(), try await Ledger.sampleOther(), try await Ledger.sampleOther()]
        for ledger in ledgers {
            try await ledger.setBudget(of: "alpha", .day, to: .credits(1000), at: .sample)
        }
        #expect(try await reserved(60, of: ledgers) == 23)
        #expect(try await TestDatabase.current.number("SELECT count(*) FROM budget_counter") == 2)
    }

    @Test func `settle a task once`() async throws {
        let ledger = try await Ledger.sample()
        let task = try await ledger.running()
        let token = try await ledger.lease(task).leaseToken
        let ledgers = [ledger, ledger.other()]
        let outcomes = try await withThrowingTaskGroup { group in
            for caller in 0..<20 {
                group.addTask { try await ledgers[caller % 2].settle(task, token, .succeeded, charged: 42) }
            }
            return try await group.reduce(into: [SettlementOutcome]()) { $0.append($1) }
        }
        #expect(outcomes.count { $0 == .settled } == 1)
        #expect(outcomes.count { $0 == .alreadySettled } == 19)
        #expect(try await ledger.balance.charged == .credits(42))
    }
}

extension Ledger {
    /// Another process on the books that a test has made before.
    fileprivate static func sampleOther() async throws -> Ledger {
        let pool = TestDatabase.current.pool(role: "usage_service")
        return Ledger(wallet: try await .named("main", in: pool), pool: pool)
    }
}

@Suite(.books) struct `A queue of acts` {
    @Test func `answers at once when as many wait as may`() async throws {
        let ledger = try await Ledger.sample()
        let schedule = Schedule(taskID: .make(at: .sample), leaseToken: 1, state: .queued, dueAt: nil)
        try await whileBusy(ledger) { owner in
            await withTaskGroup { group in
                for _ in 0...Ledger.queueLimit {
                    group.addTask { await problem { () throws(LedgerError) in try await ledger.schedule(schedule) } }
                }
                #expect(await group.next() == .overloaded)
                #expect(await problem { () throws(LedgerError) in try await owner.commit() } == nil)
                #expect(await group.allSatisfy { $0 == nil })
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
        #expect(try await ledger.nextDue().unfinished == Int64(held))
    }

    @Test func `spoils nothing but an act that cannot be written`() async throws {
        let ledger = try await Ledger.sample()
        let good = try await ledger.hold()
        let names = [String(repeating: "x", count: 129), "a\u{0}b", ""] + (0..<100).map { "order-\($0)" }
        let problems = await withTaskGroup { group in
            for name in names {
                group.addTask {
                    await problem { () throws(LedgerError) in _ = try await ledger.reserve(.sample(named: name)) }
                }
            }
            for reserved in [-1, 42] as [Int64] {
                group.addTask {
                    await problem { () throws(LedgerError) in
                        _ = try await ledger.accept(.sample(of: good, reserved: reserved))
                    }
                }
            }
            return await group.reduce(into: [LedgerError?]()) { $0.append($1) }
        }
        #expect(problems.count { $0 == nil } == 101)
        #expect(problems.count { if case .database(let error) = $0 { !error.isTransient } else { false } } == 4)
        #expect(try await ledger.balance.held == .credits(101 * 42))
    }

    /// Does something while a group is being written that cannot be finished before the owner commits.
    private func whileBusy(_ ledger: Ledger, _ body: @escaping @Sendable (Connection) async -> Void) async throws {
        let observer = TestDatabase.current.pool(maximumConnections: 1)
        try await TestDatabase.current.pool(maximumConnections: 1).withConnection { (owner) throws(PostgresError) in
            try await owner.execute("BEGIN")
            try await owner.execute("SELECT FROM wallet_balance FOR UPDATE")
            async let busy = ledger.reserve(.sample())
            while try await observer.query("SELECT FROM pg_locks WHERE NOT granted").isEmpty {}
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
