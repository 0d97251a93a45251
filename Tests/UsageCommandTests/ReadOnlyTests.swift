import Foundation
import Postgres
import RivyaSandbox
import TestDatabase
import Testing

@Suite(.serialized, .timeLimit(.minutes(10))) struct `While PostgreSQL takes no changes` {
    private static let submit = ["submit", "--project", "films", "--prompt", "A lighthouse"]

    @Test func `because it was set read-only, callers are told at once and a worker waits`() async throws {
        try await World.withServer { world, server async throws in
            let worker = try world.usage.start(["worker", "--concurrency", "4"])
            try await world.submit()
            try await world.wait(until: "SELECT count(*) FROM settlement", is: 1)
            let waiting = try await Self.fillHands(of: world)
            try await Self.setReadOnly(true, server)
            await world.sandbox.releaseCreateAnswers()
            try await Self.expectRefusal(of: world)
            try await Task.sleep(for: .seconds(5))
            #expect(await world.creates == waiting)
            for reading in [["report"], ["tasks"], ["verify"]] {
                let outcome = try await world.usage.run(reading)
                #expect(outcome.status == 0, "\(outcome.errors)")
            }
            try await Self.setReadOnly(false, server)
            let took = try await world.wait(until: "the worker goes on") { await world.creates > waiting }
            print("worker goes on \(took) after the database takes changes again")
            #expect(took < .seconds(2.5))
            try await world.wait(until: "SELECT count(*) FROM settlement", is: 51)
            worker.terminate()
            #expect(await worker.outcome()?.status == 0)
        }
    }

    @Test func `because another server has taken over, a worker and callers find that one`() async throws {
        let primary = PrivateServer()
        let standby = Standby(of: primary)
        defer { standby.remove() }
        let both = primary.url.replacing("?host=", with: "?host=\(standby.socketFolder),")
            .appending("&target_session_attrs=read-write")
        try await World.withServer(primary, at: both) { world, _ async throws in
            try standby.start()
            let worker = try world.usage.start(["worker", "--concurrency", "4"])
            let before = try await Self.fillHands(of: world)
            // The old one is demoted, all of it arrives at the new one, and that is promoted.
            try await Self.setReadOnly(true, primary)
            await world.sandbox.releaseCreateAnswers()
            try await Task.sleep(for: .seconds(2))
            try await standby.catchUp()
            try await standby.promote()
            let took = try await world.wait(until: "the worker goes on") { await world.creates > before }
            print("worker goes on \(took) after the promotion")
            #expect(took < .seconds(3))
            try await world.submit()
            try await world.wait(until: "SELECT count(*) FROM settlement", is: 51)
            worker.terminate()
            #expect(await worker.outcome()?.status == 0)
        }
    }

    /// Submits 50 tasks to a worker that takes four at a time, and holds their answers.
    ///
    /// - Returns: How many create requests the provider has had by then.
    private static func fillHands(of world: World) async throws -> Int {
        await world.sandbox.holdCreateAnswers()
        try await world.submit(count: 50)
        await world.sandbox.waitForHeldCreates(count: 4)
        return await world.creates
    }

    private static func expectRefusal(of world: World) async throws {
        let start = ContinuousClock.now
        let outcome = try await world.usage.run(submit)
        #expect(outcome.status == 1)
        #expect(outcome.sentence.hasPrefix("the database is read-only now ("), "\(outcome.errors)")
        #expect(outcome.sentence.contains("try again once it takes changes"), "\(outcome.errors)")
        #expect(ContinuousClock.now - start < .seconds(2))
    }

    private static func setReadOnly(_ isReadOnly: Bool, _ server: PrivateServer) async throws {
        let pool = ConnectionPool(
            PostgresConfiguration(url: server.url, settings: ["default_transaction_read_only": "off"]),
            logger: TestDatabase.logger)
        try await pool.execute(
            Statement("ALTER SYSTEM SET default_transaction_read_only = \(isReadOnly ? "on" : "off")"))
        try await pool.execute("SELECT pg_reload_conf()")
        await pool.close()
        // Each session of the server is told by a signal.
        try await Task.sleep(for: .seconds(2))
    }
}
