import Foundation
import Testing

@Suite struct `The demo` {
    @Test func `shows all five outcomes and books that are equal to the provider's`() async throws {
        let outcome = try await Program(environment: [:]).run("demo", timeout: .seconds(120))
        #expect(outcome.status == 0, "\(outcome.errors)")
        #expect(outcome.output.contains("the project's month budget of 126 credits has 0 left"))
        #expect(outcome.output.contains("the wallet can give 0 more credits"))
        #expect(outcome.output.contains("usage verify: ok"))
        #expect(outcome.output.hasSuffix("Equal to the credit.\n"))
        let total = try #require(outcome.output.split(separator: "\n").first { $0.hasPrefix("total") })
        let figures = total.split(separator: " ").dropFirst().compactMap { Int($0.replacing(",", with: "")) }
        // tasks, succeeded, failed, open, refused, errors, reserved, charged, released, held
        #expect(figures[0] == 13 && figures[1] + figures[2] == 13 && figures[3] == 0)
        #expect(figures[2] >= 1, "a task failed and was released")
        #expect(figures[4] == 6)
        #expect(figures[5] >= 3 + figures[2], "three faults at least, and an error for each failure")
    }
}
