import Foundation
import Postgres
import TestDatabase
import Testing

@testable import Ledger

@Suite struct `The database's clock` {
    private let clock = DatabaseClock()
    private let now = ContinuousClock.now

    /// How far the clock is from a moment that is now, in seconds.
    private func distance(from moment: Date) -> Double { abs(clock.now().timeIntervalSince(moment)) }

    @Test func `is carried on between two answers`() async throws {
        clock.measure(.sample, sentAt: now, answeredAt: now)
        try await Task.sleep(for: .seconds(2))
        let passed = (ContinuousClock.now - now) / .seconds(1)
        #expect(passed >= 2)
        #expect(distance(from: .sample + passed) < 1)
    }

    @Test func `is not put off by an answer that was long on its way`() {
        clock.measure(.sample, sentAt: now, answeredAt: now)
        clock.measure(.sample, sentAt: now, answeredAt: now + .seconds(200))
        #expect(distance(from: .sample) < 10)
        clock.measure(.sample + 200, sentAt: now, answeredAt: now + .seconds(200))
        #expect(distance(from: .sample) < 10)
    }

    @Test func `is never ahead, however long a connection took to open`() {
        clock.measure(.sample, sentAt: now - .seconds(60), answeredAt: now)
        #expect(distance(from: .sample) < 10)
    }

    @Test func `gets more exact with each answer`() {
        clock.measure(.sample + 40, sentAt: now, answeredAt: now + .seconds(80))
        clock.measure(.sample, sentAt: now - .seconds(10), answeredAt: now)
        #expect(distance(from: .sample) < 15)
    }

    @Test(arguments: [3600, -3600] as [Double]) func `follows the server's when that was set`(jump: Double) {
        clock.measure(.sample, sentAt: now, answeredAt: now)
        clock.measure(.sample + jump, sentAt: now, answeredAt: now)
        #expect(distance(from: .sample + jump) < 10)
    }
}

@Suite(.books) struct `The time by which the queue goes` {
    @Test func `is the database's, asked for once`() async throws {
        let ledger = try await Ledger.sample()
        let pool = TestDatabase.current.pool(maximumConnections: 1)
        func theirs() async throws -> Date { try await pool.query("SELECT clock_timestamp()")[0].decode(at: 0) }
        let before = try await theirs()
        let time = try await ledger.databaseTime()
        let after = try await theirs()
        #expect(before <= time && time <= after, "\(before), \(time), \(after)")
    }

    @Test func `makes a task due now whose references a caller with a fast clock has uploaded`() async throws {
        let ledger = try await Ledger.sample()
        let task = try await ledger.hold(.sample(body: nil))
        #expect(try await ledger.store(request: Array("{}".utf8), of: task, at: .late))
        let now = try await ledger.databaseTime()
        #expect(try await ledger.claim(upTo: 1, at: now + 60, leaseUntil: .late).map(\.id) == [task])
    }

    @Test func `dates an acceptance for its worker, whatever the provider's clock says`() async throws {
        let ledger = try await Ledger.sample()
        let task = try await ledger.running()
        let acceptedAt = try #require(await ledger.lease(task).acceptedAt)
        #expect(abs(acceptedAt.timeIntervalSince(try await ledger.databaseTime())) < 60)
    }
}
