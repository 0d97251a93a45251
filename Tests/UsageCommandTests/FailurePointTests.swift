import Foundation
import Postgres
import RivyaClient
import TestDatabase
import Testing
import UsageSQL

@Suite struct `A process that is killed at a failure point` {
    @Test func `leaves books that come to the same end, and no point is left out`() async throws {
        let isWhole = ProcessInfo.processInfo.environment["USAGE_FAILURE_POINTS"] == "all"
        let walk = FailurePointWalk(occurrences: isWhole ? 3 : 1, repeatsSharedPoints: isWhole)
        let start = ContinuousClock.now
        let findings = try await walk.run()
        print(
            "failure points: \(findings.died.count) walked, \(findings.deaths) deaths,",
            "\(findings.notReachedAgain) not reached again, \(findings.problems.count) problems,",
            "\((ContinuousClock.now - start) / .seconds(1)) s")
        for problem in findings.problems { Issue.record("\(problem)") }
        #expect(try Self.points.union(findings.passed).subtracting(findings.died).sorted() == [])
    }

    /// Where a process has to have died: the files of the SQL folders and the client's own kinds of requests say.
    private static var points: Set<String> {
        get throws {
            let statements = try ["sql/queries", "sql/verify", "reports"].flatMap(names)
            // Nothing in the program asks for the models.
            let requests = RequestKind.allCases.filter { $0 != .models }.map(\.rawValue)
            let named = UsageSQL.migrations.map(\.name) + statements + requests
            return Set(named.flatMap { ["before \($0)", "after \($0)"] })
                .union(["sent create", "sent upload"]).union(UsageSQL.migrations.map { "sent \($0.name)" })
        }
    }

    private static func names(of folder: String) throws -> [String] {
        var root = URL(filePath: #filePath)
        for _ in 1...3 { root.deleteLastPathComponent() }
        return try FileManager.default.contentsOfDirectory(atPath: root.appending(path: folder).path)
            .filter { $0.hasSuffix(".sql") }.map { String($0.dropLast(4)) }
    }
}

@Suite(.database(migrations: UsageSQL.migrations)) struct `A failure point` {
    @Test(arguments: ["before nothing#1", "before wallet#99", "before wallet", "wallet", "#1", ""])
    func `that is never reached kills nobody`(point: String) async throws {
        try await World.with { world async throws in
            let (outcome, points) = try await world.watched(["wallet"], diesAt: point)
            #expect(outcome.status == 0 && !outcome.wasKilled)
            #expect(points.contains("before wallet#1") && points.contains("after wallet#1"))
        }
    }

    @Test func `kills at the pass that was asked for`() async throws {
        try await World.with { world async throws in
            let (outcome, points) = try await world.watched(
                ["submit", "--project", "films", "--prompt", "A lighthouse"], diesAt: "sent wallet#2")
            #expect(outcome.wasKilled)
            #expect(points.last == "sent wallet#2")
            #expect(points.contains("sent wallet#1"))
        }
    }
}
