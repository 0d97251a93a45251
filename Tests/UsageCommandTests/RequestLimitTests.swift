import RivyaSandbox
import TestDatabase
import Testing
import UsageSQL

@Suite(.database(migrations: UsageSQL.migrations), .timeLimit(.minutes(10))) struct `A worker from the command line` {
    @Test func `never has more requests under way than configured, readings of the balance included`() async throws {
        var settings = SandboxSettings(openingCredits: 10_000, secondsToFinish: 0.5)
        settings.faults = Faults([.slow: 1])
        settings.faults.slowSeconds = 0.02
        try await World.with(settings, budget: 42 * 60) { world async throws in
            let lines = (1...60).map { #"{"prompt": "Lighthouse number \#($0)."}"# }
            let file = try TemporaryFile(lines)
            let submitted = try await world.usage.run("submit", "--file", file.path, "--project", "films")
            #expect(submitted.status == 0, "\(submitted.errors)")
            let worked = try await world.usage.run(
                "worker", "--until-idle", "--concurrency", "3", "--poll-interval", "0.1", "--slowest-poll-interval",
                "0.1",
                "--reading-interval", "0.05", "--request-timeout", "60", timeout: .seconds(120))
            #expect(worked.status == 0, "\(worked.errors)")
            let report = await world.sandbox.books.report()
            #expect(report.requests["create"] == 60)
            #expect(report.requests["status", default: 0] >= 60)
            #expect(report.requests["credits", default: 0] >= 2)
            #expect(report.mostRequestsAtOnce <= 3)
        }
    }
}
