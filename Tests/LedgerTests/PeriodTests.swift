import Accounting
import Foundation
import Ledger
import Postgres
import TestDatabase
import Testing

@Suite(.books) struct `The period of a hold` {
    /// The day and the month that a hold is counted in.
    private func day(of moment: String, in timeZone: String) async throws -> String {
        let ledger = try await Ledger.sample(timeZone: timeZone)
        try await ledger.setBudget(of: "alpha", .day, to: .credits(1000), at: .sample)
        try await ledger.hold(.sample(at: .utc(moment)))
        return try #require(
            await TestDatabase.current.texts(
                """
                SELECT format('%s, month from %s, day from %s', hold.day, month.starts_on, day.starts_on)
                FROM reservation hold
                JOIN budget_counter month ON month.period = 'month' AND month.held_credits > 0
                JOIN budget_counter day ON day.period = 'day' AND day.held_credits > 0
                """
            ).first)
    }

    @Test(arguments: [
        // The first second of April in Berlin, in summer time, is in March by UTC.
        ("2026-03-31T21:59:59Z", "Europe/Berlin", "2026-03-31, month from 2026-03-01, day from 2026-03-31"),
        ("2026-03-31T22:00:00Z", "Europe/Berlin", "2026-04-01, month from 2026-04-01, day from 2026-04-01"),
        ("2026-03-31T22:30:00Z", "Europe/Berlin", "2026-04-01, month from 2026-04-01, day from 2026-04-01"),
        // In winter time an hour later.
        ("2026-01-31T22:30:00Z", "Europe/Berlin", "2026-01-31, month from 2026-01-01, day from 2026-01-31"),
        ("2026-01-31T23:00:00Z", "Europe/Berlin", "2026-02-01, month from 2026-02-01, day from 2026-02-01"),
        // The days on which the clocks change have 23 and 25 hours.
        ("2026-03-28T23:00:00Z", "Europe/Berlin", "2026-03-29, month from 2026-03-01, day from 2026-03-29"),
        ("2026-03-29T21:59:59Z", "Europe/Berlin", "2026-03-29, month from 2026-03-01, day from 2026-03-29"),
        ("2026-10-24T22:00:00Z", "Europe/Berlin", "2026-10-25, month from 2026-10-01, day from 2026-10-25"),
        ("2026-10-25T22:59:59Z", "Europe/Berlin", "2026-10-25, month from 2026-10-01, day from 2026-10-25"),
        ("2028-02-29T12:00:00Z", "UTC", "2028-02-29, month from 2028-02-01, day from 2028-02-29"),
        ("2026-02-28T23:59:59Z", "UTC", "2026-02-28, month from 2026-02-01, day from 2026-02-28"),
        ("2026-03-01T00:00:00Z", "UTC", "2026-03-01, month from 2026-03-01, day from 2026-03-01"),
        ("2026-12-31T23:59:59Z", "UTC", "2026-12-31, month from 2026-12-01, day from 2026-12-31"),
        ("2027-01-01T04:59:59Z", "America/New_York", "2026-12-31, month from 2026-12-01, day from 2026-12-31"),
        ("2026-05-31T12:00:00Z", "Pacific/Kiritimati", "2026-06-01, month from 2026-06-01, day from 2026-06-01"),
    ])
    func `is the wallet's own day and month`(moment: String, timeZone: String, expected: String) async throws {
        #expect(try await day(of: moment, in: timeZone) == expected)
    }

    @Test func `starts anew with the month`() async throws {
        let ledger = try await Ledger.sample(month: 42, timeZone: "Europe/Berlin")
        try await ledger.hold(.sample(at: .utc("2026-03-31T21:59:59Z")))
        #expect(
            try await ledger.refusal(of: .sample(at: .utc("2026-03-31T21:59:59Z"))).reasons.first?.resetsOn
                == "2026-04-01")
        try await ledger.hold(.sample(at: .utc("2026-03-31T22:00:00Z")))
        #expect(try await ledger.use(at: .utc("2026-04-15T00:00:00Z")).remaining == .zero)
        #expect(try await ledger.use(at: .utc("2026-05-15T00:00:00Z")).remaining == .credits(42))
    }

    @Test func `starts anew with the day, and a total never does`() async throws {
        let ledger = try await Ledger.sample()
        try await ledger.setBudget(of: "alpha", .day, to: .credits(42), at: .sample)
        try await ledger.setBudget(of: "alpha", .total, to: .credits(84), at: .sample)
        try await ledger.hold(.sample(at: .sample))
        try await ledger.hold(.sample(at: .sample + 86_400))
        #expect(
            try await ledger.refusal(of: .sample(at: .sample + 366 * 86_400)).reasons.map(\.ceiling) == [.projectTotal])
    }

    @Test func `stays that of the hold when the task ends in the next month`() async throws {
        let ledger = try await Ledger.sample(month: 100)
        let june = Date.utc("2026-06-02T00:00:00Z")
        let task = try await ledger.running()
        #expect(try await ledger.end(task, .succeeded, charged: 42, at: june) == .settled)
        #expect(try await ledger.use().charged == .credits(42))
        #expect(try await ledger.use(at: june).charged == .zero)
    }

    @Test func `stays that of the hold for a correction`() async throws {
        let ledger = try await Ledger.sample(month: 100)
        let june = Date.utc("2026-06-02T00:00:00Z")
        let task = try await ledger.running()
        try await ledger.end(task, .failed, charged: 0, recheckAt: june)
        #expect(try await ledger.end(task, .succeeded, charged: 42, at: june) == .corrected)
        #expect(try await ledger.use().charged == .credits(42))
        #expect(try await ledger.use(at: june).charged == .zero)
    }

    @Test func `is decided for each request of a group by its own moment`() async throws {
        let ledger = try await Ledger.sample(month: 42)
        let may = Date.utc("2026-05-31T23:59:59Z")
        let group = try await ledger.decide([
            .sample(at: may), .sample(at: may), .sample(at: may + 1), .sample(at: may + 1),
        ])
        #expect(group.map { $0.reservation != nil } == [true, false, true, false])
    }
}
