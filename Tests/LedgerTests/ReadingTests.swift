import Accounting
import Foundation
import Ledger
import Postgres
import TestDatabase
import Testing

@Suite(.books) struct `A reading of the wallet` {
    @Test func `shows what can still be given`() async throws {
        let ledger = try await Ledger.sample(reading: 1000)
        let waiting = try await ledger.hold()
        #expect(try await ledger.balance.available == .credits(958))
        try await ledger.accept(waiting)
        #expect(try await ledger.balance.available == .credits(958))
        try await ledger.read(958)
        #expect(try await ledger.balance.available == .credits(958))
    }

    @Test func `counts a credit that waits as gone, as it may leave at any moment`() async throws {
        let ledger = try await Ledger.sample(reading: 1000)
        try await ledger.hold()
        try await ledger.read(1000)
        #expect(try await ledger.balance.available == .credits(958))
        try await ledger.read(958)
        #expect(try await ledger.balance.available == .credits(916))
    }

    @Test func `brings credits back that were given back`() async throws {
        let ledger = try await Ledger.sample(reading: 1000)
        try await ledger.end(ledger.running(), .failed, charged: 0)
        #expect(try await ledger.balance.available == .credits(958))
        try await ledger.read(1000)
        #expect(try await ledger.balance.available == .credits(1000))
    }

    @Test func `takes off what was taken after it was asked for`() async throws {
        let ledger = try await Ledger.sample(reading: 1000)
        let task = try await ledger.hold()
        let start = try await ledger.beginReading()
        try await ledger.accept(task)
        _ = try await ledger.finishReading(start, current: .credits(1000), at: .sample)
        #expect(try await ledger.balance.available == .credits(958))
    }

    @Test func `agrees with the books of a quiet wallet`() async throws {
        let ledger = try await Ledger.sample(reading: 1000)
        try await ledger.end(ledger.running(), .succeeded, charged: 42)
        try await ledger.end(ledger.running(), .failed, charged: 0)
        try await ledger.end(ledger.running(), .failed, charged: 10)
        try await ledger.end(ledger.hold(), .rejected, charged: 0)
        #expect(try await ledger.read(948).unattributed == .zero)
    }

    @Test func `finds what somebody else spent, exactly when the wallet is quiet`() async throws {
        let ledger = try await Ledger.sample(reading: 1000)
        try await ledger.end(ledger.running(), .succeeded, charged: 42)
        #expect(try await ledger.read(900).unattributed == .credits(58))
        #expect(try await ledger.read(893).unattributed == .credits(7))
        #expect(try await ledger.read(893).unattributed == .zero)
        #expect(try await ledger.balance.unattributed == .credits(65))
    }

    @Test func `finds a top-up as credits that came in`() async throws {
        let ledger = try await Ledger.sample(reading: 100)
        #expect(try await ledger.read(5100).unattributed == .credits(-5000))
        #expect(try await ledger.read(5000).unattributed == .credits(100))
        #expect(try await ledger.balance.unattributed == .credits(-4900))
    }

    @Test func `finds what somebody else spent while a task of ours ran`() async throws {
        let ledger = try await Ledger.sample(reading: 1000)
        let task = try await ledger.running()
        // 958 less 20 of somebody else's, or our task has come back and 62 are somebody else's: the least is taken.
        #expect(try await ledger.read(938).unattributed == .credits(20))
        try await ledger.end(task, .failed, charged: 0)
        #expect(try await ledger.read(980).unattributed == .zero)
    }

    @Test(arguments: [1000, 958]) func `raises no alarm about a create request that is under way`(current: Int64)
        async throws
    {
        let ledger = try await Ledger.sample(reading: 1000)
        let task = try await ledger.hold()
        _ = try await ledger.lease(task)
        #expect(try await ledger.read(current).unattributed == .zero)
        try await ledger.accept(task)
        #expect(try await ledger.read(958).unattributed == .zero)
    }

    @Test(arguments: [1000, 958]) func `raises no alarm about a task accepted while it was asked for`(current: Int64)
        async throws
    {
        let ledger = try await Ledger.sample(reading: 1000)
        let task = try await ledger.hold()
        let start = try await ledger.beginReading()
        try await ledger.accept(task)
        #expect(try await ledger.finishReading(start, current: .credits(current), at: .sample).unattributed == .zero)
        #expect(try await ledger.read(958).unattributed == .zero)
    }

    @Test func `raises no alarm about a task that came and went while it was asked for`() async throws {
        let ledger = try await Ledger.sample(reading: 1000)
        let start = try await ledger.beginReading()
        try await ledger.end(ledger.running(), .failed, charged: 0)
        #expect(try await ledger.finishReading(start, current: .credits(958), at: .sample).unattributed == .zero)
        #expect(try await ledger.read(1000).unattributed == .zero)
    }

    @Test func `raises no alarm about a task that failed and came back before it was asked about`() async throws {
        let ledger = try await Ledger.sample(reading: 1000)
        let task = try await ledger.running()
        #expect(try await ledger.read(1000).unattributed == .zero)
        try await ledger.end(task, .failed, charged: 0)
        #expect(try await ledger.read(1000).unattributed == .zero)
    }

    @Test func `corrects itself when a task that seemed to have come back succeeds`() async throws {
        let ledger = try await Ledger.sample(reading: 1000)
        let task = try await ledger.running()
        // Somebody topped up by 42: while the task runs it looks as if its credits had come back.
        #expect(try await ledger.read(1000).unattributed == .zero)
        try await ledger.end(task, .succeeded, charged: 42)
        #expect(try await ledger.read(1000).unattributed == .credits(-42))
    }

    @Test func `raises no alarm about a correction that it has seen first`() async throws {
        let ledger = try await Ledger.sample(reading: 1000)
        let task = try await ledger.running()
        try await ledger.end(task, .failed, charged: 0, recheckAt: .sample)
        let start = try await ledger.beginReading()
        try await ledger.end(task, .succeeded, charged: 42)
        #expect(try await ledger.finishReading(start, current: .credits(958), at: .sample).unattributed == .zero)
        #expect(try await ledger.read(958).unattributed == .zero)
    }

    @Test func `is kept and changes nothing when a later one came first`() async throws {
        let ledger = try await Ledger.sample(reading: 1000)
        let older = try await ledger.beginReading()
        try await ledger.end(ledger.running(), .succeeded, charged: 42)
        try await ledger.read(958)
        let before = try await ledger.balance
        let reading = try await ledger.finishReading(older, current: .credits(500), at: .sample)
        #expect(!reading.isNewest)
        #expect(reading.unattributed == .zero)
        #expect(try await ledger.balance == before)
        #expect(try await TestDatabase.current.number("SELECT count(*) FROM wallet_reading") == 3)
    }

    @Test func `may be given by a person, whose name is kept`() async throws {
        let ledger = try await Ledger.sample(reading: nil)
        let reading = try await ledger.finishReading(
            ledger.beginReading(), current: .credits(42), by: "mara", at: .sample)
        #expect((reading.current, reading.unattributed, reading.isNewest) == (.credits(42), .zero, true))
        #expect(
            try await TestDatabase.current.texts("SELECT evidence || ' ' || recorded_by FROM wallet_reading") == [
                "person mara"
            ])
        try await ledger.hold()
    }

    @Test(arguments: [-1, 1_000_000_000_000_001]) func `is a balance that can be`(current: Int64) async throws {
        let ledger = try await Ledger.sample(reading: 42)
        await #expect(throws: LedgerError.self) { try await ledger.read(current) }
        #expect(try await ledger.balance.reading == .credits(42))
    }

    @Test func `belongs to the wallet's own day`() async throws {
        let ledger = try await Ledger.sample(timeZone: "Europe/Berlin", at: .utc("2026-03-31T22:30:00Z"))
        #expect(try await ledger.balance.readAt == .utc("2026-03-31T22:30:00Z"))
        #expect(try await TestDatabase.current.texts("SELECT day::text FROM wallet_reading") == ["2026-04-01"])
    }
}
