import Accounting
import Foundation
import Ledger
import Postgres
import TestDatabase
import Testing

@Suite(.books) struct `Asking again under the same name` {
    @Test func `returns the first reservation`() async throws {
        let ledger = try await Ledger.sample()
        let first = try await ledger.reserve(.sample(named: "order-1"))
        let again = try await ledger.reserve(.sample(named: "order-1", at: .sample + 3600))
        #expect(first.reservation != nil)
        #expect(again == first)
        #expect(try await ledger.balance.held == .credits(42))
    }

    @Test func `returns the first refusal, even when there is room by now`() async throws {
        let ledger = try await Ledger.sample(month: 41)
        let first = try await ledger.refusal(of: .sample(named: "order-1"))
        try await ledger.setBudget(of: "alpha", .month, to: .credits(1000), at: .sample)
        #expect(try await ledger.refusal(of: .sample(named: "order-1")) == first)
        try await ledger.hold(.sample(named: "order-2"))
    }

    @Test func `returns the first reservation after the task has ended`() async throws {
        let ledger = try await Ledger.sample()
        let task = try await ledger.running(.sample(named: "order-1"))
        try await ledger.end(task, .succeeded, charged: 42)
        #expect(try await ledger.hold(.sample(named: "order-1")) == task)
    }

    @Test func `is an error when something else is asked`() async throws {
        let ledger = try await Ledger.sample()
        try await ledger.hold(.sample(named: "order-1"))
        await #expect(throws: LedgerError.clientRequestConflict("order-1")) {
            try await ledger.reserve(.sample(named: "order-1", asking: "a train"))
        }
        #expect(try await ledger.balance.held == .credits(42))
    }

    @Test func `is an error when something else was refused`() async throws {
        let ledger = try await Ledger.sample(month: 0)
        try await ledger.refusal(of: .sample(named: "order-1"))
        await #expect(throws: LedgerError.clientRequestConflict("order-1")) {
            try await ledger.reserve(.sample(named: "order-1", asking: "a train"))
        }
    }

    @Test func `is decided when it could not be before`() async throws {
        let ledger = try await Ledger.sample()
        await #expect(throws: LedgerError.unpriced(model: "cheap")) {
            try await ledger.reserve(.sample(model: "cheap", named: "order-1"))
        }
        try await ledger.setPrice(.sample(5, model: "cheap"))
        try await ledger.hold(.sample(model: "cheap", named: "order-1"))
    }

    @Test func `means another request in another wallet`() async throws {
        let main = try await Ledger.sample()
        let other = try await Ledger.sample(timeZone: "Europe/Berlin")
        #expect(try await main.hold(.sample(named: "order-1")) != other.hold(.sample(named: "order-1")))
    }

    @Test func `holds once within one group`() async throws {
        let ledger = try await Ledger.sample()
        let group = try await ledger.decide((0..<5).map { _ in .sample(named: "order-1") })
        #expect(Set(group.map(\.reservation?.taskID)).count == 1)
        #expect(try await ledger.balance.held == .credits(42))
    }

    @Test func `refuses once within one group`() async throws {
        let ledger = try await Ledger.sample(month: 0)
        let group = try await ledger.decide((0..<5).map { _ in .sample(named: "order-1") })
        #expect(Set(group.map(\.refusal?.taskID)).count == 1)
        #expect(try await TestDatabase.current.number("SELECT count(*) FROM refusal") == 1)
    }

    @Test func `is decided within a group even behind one that cannot be`() async throws {
        let ledger = try await Ledger.sample()
        let group = try await ledger.decide([
            .sample(named: "order-0"), .sample(named: "order-1"), .sample(named: "order-1"),
        ])
        #expect(group.allSatisfy { $0.reservation != nil })
        await #expect(throws: LedgerError.clientRequestConflict("order-2")) {
            try await ledger.decide([.sample("gamma", named: "order-2", asking: "a train"), .sample(named: "order-2")])
        }
        #expect(try await ledger.balance.held == .credits(126))
    }

    @Test func `makes one task of 50 callers at once`() async throws {
        let ledger = try await Ledger.sample()
        let other = ledger.other()
        let outcomes = try await withThrowingTaskGroup { group in
            for place in 0..<50 {
                group.addTask {
                    try await (place.isMultiple(of: 2) ? ledger : other).reserve(.sample(named: "order-1"))
                }
            }
            return try await group.reduce(into: Set<TaskID>()) {
                if let held = $1.reservation { $0.insert(held.taskID) }
            }
        }
        #expect(outcomes.count == 1)
        #expect(try await ledger.balance.reserved == .credits(42))
    }

    @Test func `is impossible for a caller without a name`() async throws {
        let ledger = try await Ledger.sample()
        #expect(try await ledger.hold() != ledger.hold())
    }
}
