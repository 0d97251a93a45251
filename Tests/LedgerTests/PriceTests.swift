import Accounting
import Foundation
import Ledger
import Testing

@Suite(.books) struct `The price of a task` {
    private let january = Price.sample(50)
    private let june = Price.sample(60, from: .utc("2026-06-01T00:00:00Z"))

    @Test func `is 42 credits for the documented model`() async throws {
        let ledger = try await Ledger.sample()
        #expect(try await ledger.reserve(.sample()).reservation?.amount == .credits(42))
    }

    @Test func `is that of a parameter's value where it has one`() async throws {
        let ledger = try await Ledger.sample()
        try await ledger.setPrice(.sample(84, ("duration", "10")))
        #expect(try await ledger.reserve(.sample(with: ["duration": "10"])).reservation?.amount == .credits(84))
        #expect(try await ledger.reserve(.sample(with: ["duration": "5"])).reservation?.amount == .credits(42))
        #expect(try await ledger.reserve(.sample(with: ["aspect_ratio": "10"])).reservation?.amount == .credits(42))
    }

    @Test func `is the highest where several values match`() async throws {
        let ledger = try await Ledger.sample()
        try await ledger.setPrice(.sample(84, ("duration", "10")))
        try await ledger.setPrice(.sample(90, ("mode", "pro")))
        let both = ["duration": "10", "mode": "pro"]
        #expect(try await ledger.reserve(.sample(with: both)).reservation?.amount == .credits(90))
    }

    @Test func `holds from its moment on`() async throws {
        let ledger = try await Ledger.sample()
        for price in [january, june] { try await ledger.setPrice(price) }
        let last = TaskSubmission.sample(at: june.effectiveFrom - 0.001)
        #expect(try await ledger.reserve(last).reservation?.amount == .credits(50))
        #expect(try await ledger.reserve(.sample(at: june.effectiveFrom)).reservation?.amount == .credits(60))
        #expect(try await ledger.reserve(.sample(at: .utc("2025-12-31T23:59:59Z"))).reservation?.amount == .credits(42))
    }

    @Test func `stays as it was for what is held already`() async throws {
        let ledger = try await Ledger.sample()
        let task = try await ledger.hold()
        try await ledger.setPrice(january)
        #expect(try await ledger.balance.held == .credits(42))
        #expect(try await ledger.task(task)?.summary.reserved == .credits(42))
    }

    @Test func `is unknown before the first price of a model`() async throws {
        let ledger = try await Ledger.sample()
        try await ledger.setPrice(.sample(5, model: "cheap", from: .sample))
        await #expect(throws: LedgerError.unpriced(model: "cheap")) {
            try await ledger.reserve(.sample(model: "cheap", at: .sample - 1))
        }
        try await ledger.hold(.sample(model: "cheap"))
    }

    @Test func `is not set twice for one moment`() async throws {
        let ledger = try await Ledger.sample()
        try await ledger.setPrice(january)
        let problem = await #expect(throws: LedgerError.self) { try await ledger.setPrice(.sample(51)) }
        #expect(problem == .alreadyExists("A price of kling-v2-5-turbo-pro from that moment on"))
    }

    @Test func `is listed by model, parameter and moment`() async throws {
        let ledger = try await Ledger.sample()
        for price in [Price.sample(84, ("duration", "10")), june, january, .sample(5, model: "cheap")] {
            try await ledger.setPrice(price)
        }
        #expect(try await ledger.prices().map(\.amount.amount) == [5, 42, 50, 60, 84])
        #expect(try await ledger.prices().last == .sample(84, ("duration", "10")))
    }

    @Test(arguments: [0, -1, 1_000_000_001]) func `is between one credit and a thousand million`(amount: Int64)
        async throws
    {
        let ledger = try await Ledger.sample()
        await #expect(throws: LedgerError.self) { try await ledger.setPrice(.sample(amount)) }
    }
}
