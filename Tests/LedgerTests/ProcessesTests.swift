import Accounting
import Foundation
import Postgres
import Reporting
import TestDatabase
import Testing
import UsageSQL

@testable import Ledger

/// Each with connections and groups of its own; what they share is the database alone.
@Suite(.books, .timeLimit(.minutes(10))) struct `Several processes on one wallet` {
    /// What runs out.
    enum Ceiling: CaseIterable { case budget, wallet }

    private static let processes = 4
    private static let callers = 100
    private static let fitting = 150

    @Test(arguments: Ceiling.allCases)
    func `share out exactly what fits, each in the order in which its own callers came`(ceiling: Ceiling) async throws {
        let room = 42 * Int64(Self.fitting)
        let first = try await Ledger.sample(
            month: ceiling == .budget ? room : 1_000_000, reading: ceiling == .wallet ? room : 1_000_000)
        let before = try await TestDatabase.current.number("SELECT last_entry_number FROM wallet_balance")
        let processes = (0..<Self.processes).map { _ in first.other() }
        let asked = try await TestDatabase.current.pool(maximumConnections: 1).withConnection {
            (owner) throws(PostgresError) in
            // All of them have two groups under way, and more behind, when the first gets the wallet's row.
            try await owner.execute("BEGIN")
            try await owner.execute("SELECT FROM wallet_balance FOR UPDATE")
            let lines = processes.map { _ in Line() }
            func ask(_ names: Range<Int>) -> [[Task<ReservationOutcome, any Error>]] {
                zip(processes.indices, lines).map { process, line in
                    names.map { name in
                        Task(executorPreference: line) {
                            try await processes[process].reserve(.sample(named: "\(process)-\(name)"))
                        }
                    }
                }
            }
            let leading = ask(0..<1)
            for process in processes { await wait { process.groupsUnderWay == 1 } }
            let others = ask(1..<Self.callers)
            for process in processes { await wait { process.groupsUnderWay == 2 } }
            try await owner.execute("COMMIT")
            return zip(leading, others).map { $0 + $1 }
        }
        var reserved = 0
        for tasks in asked {
            var outcomes: [Bool] = []
            for task in tasks { outcomes.append(try await task.value.reservation != nil) }
            let own = outcomes.count { $0 }
            // All ask for the same amount, so whoever came before one that fits, fits.
            #expect(outcomes == (0..<Self.callers).map { $0 < own })
            reserved += own
        }
        #expect(reserved == Self.fitting)
        #expect(try await first.balance.held == .credits(room))

        let entries = try await TestDatabase.current.texts(
            """
            SELECT entry_number || ' ' || client_request_id FROM (
                SELECT entry_number, client_request_id FROM reservation
                UNION ALL SELECT entry_number, client_request_id FROM refusal) AS entry
            ORDER BY entry_number
            """
        ).map { $0.split(separator: " ") }
        let all = Self.processes * Self.callers
        #expect(entries.map { Int64($0[0]) } == (1...all).map { before + Int64($0) }, "without a gap")
        for process in processes.indices {
            let names = entries.map { $0[1] }.filter { $0.hasPrefix("\(process)-") }
            #expect(names == (0..<Self.callers).map { "\(process)-\($0)" })
        }
        #expect(try await Verification.run(on: TestDatabase.current.pool(maximumConnections: 1)) == [])
    }
}
