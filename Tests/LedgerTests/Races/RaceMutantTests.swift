import TestDatabase
import Testing

@Suite(.books) struct `Racers let go at once` {
    @Test(arguments: Race.all) func `keep every rule`(race: Race) async throws {
        let course = try await Course()
        for number in 1...5 {
            let findings = try await race.run(Round(course: course, number: number))
            try #require(findings == [], "round \(number)")
        }
    }

    @Test(arguments: Race.all.flatMap { race in race.mutants.map { (race, $0) } })
    func `catch every mutant of the rule`(race: Race, mutant: Mutant) async throws {
        let course = try await Course(changes: mutant.changes)
        var found: [String] = []
        for number in 1...60 {
            found += try await race.run(Round(course: course, number: number))
            guard let finding = found.first(where: { $0.contains(mutant.sign) }) else { continue }
            return print("caught in round \(number), by '\(race.rule)': it \(mutant.name); \(finding)")
        }
        Issue.record("it \(mutant.name), and survives '\(race.rule)', which found \(found.prefix(5))")
    }

    @Test func `have a mutant for every rule, each under a name of its own`() {
        for race in Race.all {
            #expect(!race.mutants.isEmpty, "\(race.rule)")
            print("race: \(race.rule)")
            for mutant in race.mutants { print("  mutant: it \(mutant.name)") }
        }
        let names = Race.all.flatMap { race in race.mutants.map { "\(race.rule): \($0.name)" } }
        #expect(Set(names).count == names.count)
        print("\(Race.all.count) races, \(names.count) mutants")
    }
}

extension Race {
    static let all =
        budgets + [
            lastCredits, takenCredits, takenBeyondHold, gate, readings, sameName, claims, firstClaims, leaving,
            takeover, lostLease, heldRow, givenBack, beingSent, settlesOnce, acceptsOnce, acceptedAndReleased,
            errorOnce, storesOnce, migratesEmpty,
            migratesOnce,
        ]
}
