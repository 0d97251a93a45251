import Foundation
import Postgres
import RivyaSandbox
import TestDatabase
import Testing
import UsageSQL

@Suite(.database(migrations: UsageSQL.migrations), .serialized) struct `A worker that is killed` {
    @Test func `between the create request and its answer leaves one task at the provider and one charge`() async throws
    {
        try await World.with { world async throws in
            #expect(try await world.usage.run("submit", "--project", "films", "--prompt", "A lighthouse").status == 0)
            await world.sandbox.holdCreateAnswers()
            let killed = try world.usage.start(world.worker)
            await world.sandbox.waitForHeldCreates(count: 1)
            killed.kill()
            _ = await killed.outcome()
            // The provider has the task and took the credits; we do not know it.
            #expect(try await world.count("SELECT count(*) FROM acceptance") == 0)
            #expect(await world.sandbox.books.report().totals.takenCredits == 42)
            await world.sandbox.releaseCreateAnswers()

            try await world.workUntilIdle()
            let tasks = await world.sandbox.books.report().tasks
            #expect(tasks.count == 1)
            #expect(tasks.first?.createRequests == 2)
            #expect(try await world.count("SELECT sum(charged_credits)::bigint FROM settlement") == 42)
        }
    }

    @Test func `while it follows a task hands it to the next worker`() async throws {
        try await World.with(SandboxSettings(openingCredits: 1000, secondsToFinish: 3600)) { world async throws in
            #expect(try await world.usage.run("submit", "--project", "films", "--prompt", "A lighthouse").status == 0)
            let killed = try world.usage.start(world.worker)
            try await world.wait(until: "SELECT count(*) FROM task_work WHERE polls > 0", is: 1)
            killed.kill()
            _ = await killed.outcome()
            let task = try #require(await world.sandbox.books.report().tasks.first)
            try await world.sandbox.finish(task.id, .succeeded)
            try await world.workUntilIdle()
            #expect(try await world.count("SELECT count(*) FROM settlement WHERE outcome = 'succeeded'") == 1)
        }
    }

    @Test func `in state unknown can be resolved by a person, and the provider's later word is a correction`()
        async throws
    {
        try await World.with { world async throws in
            #expect(try await world.usage.run("submit", "--project", "films", "--prompt", "A lighthouse").status == 0)
            await world.sandbox.holdCreateAnswers()
            let killed = try world.usage.start(world.worker)
            await world.sandbox.waitForHeldCreates(count: 1)
            killed.kill()
            _ = await killed.outcome()
            await world.sandbox.releaseCreateAnswers()
            let id = try await world.pool.query("SELECT task_id::text AS id FROM task")[0].decode("id", as: String.self)
            try await world.wait(until: "SELECT count(*) FROM task_work WHERE due_at < now()", is: 1)
            let slip = try await world.usage.run(
                "task", "resolve", id, "--charged", "420", "--reason", "seen on Rivya's page", "--by", "ann")
            #expect(slip.status == 1)
            #expect(
                slip.sentence
                    == "Task \(id) holds 42 credits, and 420 are more; if the provider took them, add --beyond-hold.")
            let resolved = try await world.usage.run(
                "task", "resolve", id, "--charged", "42", "--reason", "seen on Rivya's page", "--by", "ann")
            #expect(resolved.status == 0, "\(resolved.errors)")
            for word in [["--released"], ["--charged", "420"]] {
                let again = try await world.usage.run(
                    ["task", "resolve", id, "--reason", "x", "--by", "bob"] + word)
                #expect(again.status == 1)
                #expect(again.sentence == "Task \(id) had ended before; nothing was changed. See: usage task \(id)")
            }
            let shown = try await world.usage.run("task", id)
            #expect(shown.output.contains("by ann: seen on Rivya's page"))
            _ = await world.sandbox.books.report()
        }
    }
}
