import Ledger
import Postgres
import Reporting
import TestDatabase
import Testing

@Suite(.books) struct `The proof of the books` {
    @Test func `finds nothing in books that are right`() async throws {
        _ = try await SampleMonth().lived()
        #expect(try await Verification.run(on: .reports) == [])
    }

    @Test func `names its rules as it goes`() async throws {
        #expect(
            Verification.allRules == [
                "wallet_balance", "adds_up", "budget_counter", "day_total", "month_total", "admission", "budget",
                "task_state",
                "entry_number", "entry_hash",
            ])
    }

    @Test(arguments: Tampering.all) func `finds what was changed past the rules`(tampering: Tampering) async throws {
        _ = try await SampleMonth().lived()
        try await TestDatabase.current.tamper(tampering.sql)
        let differences = try await Verification.run(on: .reports).filter { $0.rule == tampering.rule }
        #expect(
            differences.contains { "\($0.wallet): \($0.subject): \($0.found)".contains(tampering.finding) },
            "\(differences)")
    }
}
