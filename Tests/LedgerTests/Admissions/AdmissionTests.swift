import Accounting
import Foundation
import Postgres
import Reporting
import TestDatabase
import Testing
import UsageSQL

@testable import Ledger

@Suite struct `A thousand callers on tight budgets` {
    /// A share of the thousand seeds that scripts/admissions runs, and a few that nobody chose.
    private static let seeds: [UInt64] = {
        let environment = ProcessInfo.processInfo.environment
        let first = environment["USAGE_ADMISSION_FIRST_SEED"].flatMap(UInt64.init) ?? 1
        if let count = environment["USAGE_ADMISSION_SEEDS"].flatMap(UInt64.init) {
            return Array(first..<first + max(1, count))
        }
        return Array(1...36) + (0..<4).map { _ in UInt64.random(in: 1_000_000...9_999_999) }
    }()

    @Test func `get every credit that fits and none that does not, each with the exact reason`() async throws {
        print("admissions: seeds \(Self.seeds.prefix(1)) to \(Self.seeds.suffix(5))")
        let start = ContinuousClock.now
        var tally = AdmissionTally()
        // Tables that nobody vacuums grow slow: a database for every fifty seeds.
        for from in stride(from: 0, to: Self.seeds.count, by: 50) {
            let seeds = Self.seeds[from..<min(from + 50, Self.seeds.count)]
            let database = try await TestDatabase.make(migrations: UsageSQL.migrations)
            do { tally.add(try await AdmissionRun(database).run(seeds)) } catch {
                try await database.drop()
                throw error
            }
            try await database.drop()
            // What is printed waits in a buffer; progress must not.
            guard Self.seeds.count > 50 else { continue }
            FileHandle.standardError.write(
                Data("\(tally.seeds) seeds, \(tally.findings.count) findings, \(ContinuousClock.now - start)\n".utf8))
        }
        let seconds = Int((ContinuousClock.now - start) / .seconds(1))
        print(
            """
            admissions: \(tally.seeds) seeds, \(tally.callers) callers, \(tally.reserved) reserved, \
            \(tally.refused) refused, \(tally.again) asked again, \(tally.conflicts) of them for something else, \
            overspent \(tally.overspent), wrong refusals \(tally.wrongRefusals), inexact refusals \
            \(tally.inexactRefusals), wrong answers \(tally.wrongAnswers), \(seconds) s
            """)
        #expect(tally.findings == [])
        #expect((tally.overspent, tally.wrongRefusals) == (0, 0))
        #expect((tally.inexactRefusals, tally.wrongAnswers) == (0, 0))
        // Seeds that admit all or nothing would prove little.
        #expect(tally.reserved > tally.seeds * 50 && tally.refused > tally.seeds * 50)
        #expect(tally.conflicts > 0 && tally.again > tally.conflicts)
    }
}

/// Runs seeds in one database, each with a wallet of its own.
private struct AdmissionRun {
    let owner: ConnectionPool
    let pools: [ConnectionPool]

    init(_ database: TestDatabase) {
        owner = database.pool(maximumConnections: 1)
        pools = (0..<4).map { _ in database.pool(maximumConnections: 2, role: "usage_service") }
    }

    func run(_ seeds: ArraySlice<UInt64>) async throws -> AdmissionTally {
        var tally = AdmissionTally()
        for seed in seeds {
            let plan = AdmissionPlan(seed: seed)
            let ledger = try await prepare(plan)
            var judge = AdmissionJudge(plan, try await ask(plan, ledger.wallet))
            try await judge.judge(ledger.wallet, in: owner)
            tally.add(judge.tally)
        }
        for difference in try await Verification.run(on: owner) { tally.find("verify: \(difference)") }
        return tally
    }

    /// The books of a seed, with what was spent before and the limits from now on.
    private func prepare(_ plan: AdmissionPlan) async throws -> Ledger {
        let slug = "seed-\(plan.seed)"
        try await Wallet.create(slug, timeZone: plan.timeZone, apiKeyVariable: "KEY", at: .sample, in: pools[0])
        let ledger = Ledger(wallet: try await .named(slug, in: pools[0]), pool: pools[0])
        try await ledger.setPrice(.sample(84, ("duration", "10")))
        try await ledger.setPrice(.sample(5, model: "cheap"))
        for project in plan.projects {
            try await ledger.createProject(project, month: .credits(1_000_000), at: .sample)
        }
        if let reading = plan.reading {
            try await ledger.read(1_000_000, at: plan.border - 86_400)
            try await spend(plan, ledger)
            try await ledger.read(reading, at: plan.border - 43_200)
        }
        for limit in plan.limits {
            try await ledger.setBudget(of: limit.project, limit.period, to: .credits(limit.limit), at: plan.border)
        }
        return ledger
    }

    private func spend(_ plan: AdmissionPlan, _ ledger: Ledger) async throws {
        guard !plan.spent.isEmpty else { return }
        _ = try await ledger.decide(plan.spent.map(\.submission))
        let ended = plan.spent.filter { $0.charged != nil && $0.submission.body != nil }
        guard !ended.isEmpty else { return }
        _ = try await ledger.accept(
            ended.map {
                Acceptance(
                    taskID: $0.submission.taskID, providerTaskID: "p-\($0.submission.taskID)", reserved: nil,
                    acceptedAt: plan.border, pollAt: plan.border)
            })
        let leases = try await ledger.claim(upTo: 1000, at: .late, leaseUntil: .late)
        let tokens = Dictionary(uniqueKeysWithValues: leases.map { ($0.id, $0.leaseToken) })
        _ = try await ledger.settle(
            ended.map {
                .sample(
                    of: $0.submission.taskID, tokens[$0.submission.taskID] ?? -1,
                    $0.charged == 0 ? .failed : .succeeded, charged: $0.charged ?? 0)
            })
    }

    /// Lets all callers go at once, each to its process, and returns what they were told.
    private func ask(_ plan: AdmissionPlan, _ wallet: Wallet) async throws -> [Result<ReservationOutcome, LedgerError>]
    {
        let ledgers = pools.prefix(plan.ledgers).map { Ledger(wallet: wallet, pool: $0) }
        for ledger in ledgers { _ = try await ledger.nextDue() }
        let barrier = Barrier(of: plan.callers.count + plan.changes.count)
        let border = plan.border
        return try await withThrowingTaskGroup(of: (Int, Result<ReservationOutcome, LedgerError>)?.self) { group in
            for (place, caller) in plan.callers.enumerated() {
                group.addTask {
                    await barrier.arrive()
                    for _ in 0..<caller.yields { await Task.yield() }
                    do throws(LedgerError) {
                        return (place, .success(try await ledgers[caller.ledger].reserve(caller.submission)))
                    } catch { return (place, .failure(error)) }
                }
            }
            for (change, yields) in plan.changes {
                group.addTask {
                    await barrier.arrive()
                    for _ in 0..<yields { await Task.yield() }
                    switch change {
                    case .budget(let project, let period, let limit):
                        try await ledgers[0].setBudget(
                            of: project, period, to: limit.map(Credits.init), at: border)
                    case .reading(let credits): try await ledgers[0].read(credits, at: border)
                    }
                    return nil
                }
            }
            var answers = [Result<ReservationOutcome, LedgerError>](
                repeating: .failure(.cancelled), count: plan.callers.count)
            for try await case let (place, answer)? in group { answers[place] = answer }
            return answers
        }
    }
}
