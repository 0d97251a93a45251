import Accounting
import Foundation
import Ledger
import Reporting
import TestDatabase
import Testing

@Suite(.books) struct `Whatever is done to the books` {
    /// What must have happened now and then for a walk to be worth its time.
    private static let wanted = [
        "reserved", "refused", "asked again", "accept: accepted", "accept: already_accepted",
        "accept: other_provider_task",
        "settle: settled", "settle: fenced", "settle: corrected", "settle: confirmed", "settle: already_accepted",
        "settle: already_settled", "resolve: settled", "resolve: already_settled", "resolve: being_sent", "error",
        "given back",
        "budget", "read", "read late", "stored",
    ]

    @Test(arguments: [1, 2, 3] as [UInt64]) func `they follow from their entries`(seed: UInt64) async throws {
        var walks: [RandomWalk] = []
        for (place, timeZone) in ["UTC", "Europe/Berlin"].enumerated() {
            let ledger = try await Ledger.sample(month: 3000, reading: 4000, timeZone: timeZone)
            try await RandomWalk.prepare(ledger)
            walks.append(RandomWalk(ledger, seed: seed * 10 + UInt64(place)))
        }
        let owner = TestDatabase.current.pool(maximumConnections: 1)
        for step in 1...2000 {
            try await walks[step % 2].step()
            guard step.isMultiple(of: 250) else { continue }
            let differences = try await Verification.run(on: owner)
            try #require(differences == [], "after \(step) steps")
        }
        let counts = walks.reduce(into: [:]) { $0.merge($1.counts) { $0 + $1 } }
        #expect(Self.wanted.filter { counts[$0] == nil } == [], "\(counts)")
    }
}
