import Foundation
import Postgres
import RivyaSandbox
import TestDatabase
import Testing
import UsageSQL

@Suite(.database(migrations: UsageSQL.migrations), .serialized) struct `Submitting from the command line` {
    private static let submit = ["submit", "--project", "films", "--prompt", "A lighthouse"]

    /// Fifty `usage submit` at once: how many were held, and how many refused.
    private func submitFifty(_ world: World) async throws -> (held: Int, refused: Int) {
        try await withThrowingTaskGroup(of: Int32.self) { group in
            for _ in 0..<50 { group.addTask { try await world.usage.run(Self.submit).status } }
            var held = 0
            var refused = 0
            for try await status in group {
                #expect(status == 0 || status == 2)
                if status == 0 { held += 1 } else { refused += 1 }
            }
            return (held, refused)
        }
    }

    @Test func `holds 10 of 50 tasks at once for a budget of 420, and refuses 40`() async throws {
        try await World.with { world async throws in
            #expect(try await world.usage.run("wallet", "--read").status == 0)
            let answers = try await submitFifty(world)
            #expect(answers == (10, 40))
            #expect(try await world.count("SELECT count(*) FROM reservation") == 10)
            #expect(try await world.count("SELECT count(*) FROM refusal") == 40)
            try await world.workUntilIdle()
            #expect(await world.sandbox.books.report().tasks.count == 10)
        }
    }

    @Test func `holds 10 of 50 tasks at once while two workers send them, none twice`() async throws {
        try await World.with { world async throws in
            #expect(try await world.usage.run("wallet", "--read").status == 0)
            // No lease runs out here, however busy the machine is.
            let worker = ["worker", "--poll-interval", "0.1", "--lease", "60"]
            let workers = try (0..<2).map { _ in try world.usage.start(worker) }
            let answers = try await submitFifty(world)
            #expect(answers == (10, 40))
            try await world.wait(until: "SELECT count(*) FROM settlement", is: 10)
            for worker in workers { worker.terminate() }
            for worker in workers { #expect(await worker.outcome()?.status == 0) }
            let tasks = await world.sandbox.books.report().tasks
            #expect(tasks.count == 10)
            #expect(tasks.allSatisfy { $0.createRequests == 1 })
        }
    }

    @Test func `opens the gate by itself with the first reading where there is a key`() async throws {
        try await World.with { world async throws in
            #expect(try await world.usage.run(Self.submit).status == 0)
            #expect(try await world.count("SELECT count(*) FROM wallet_reading WHERE evidence = 'provider'") == 1)
        }
    }

    @Test func `is refused with exit code 2 while the gate is closed for want of a reading`() async throws {
        try await World.with { world async throws in
            var keyless = world.usage
            keyless.environment["RIVYA_API_KEY"] = ""
            let outcome = try await keyless.run(Self.submit)
            #expect(outcome.status == 2)
            #expect(
                outcome.sentence.contains("the wallet's gate is closed: its balance was never read"),
                "\(outcome.errors)")
            let id: String = try await world.pool.query("SELECT task_id::text FROM refusal")[0].decode(at: 0)
            let resolved = try await keyless.run(
                "task", "resolve", id, "--released", "--reason", "not wanted", "--by", "ann")
            #expect(resolved.status == 1)
            #expect(resolved.sentence == "Request \(id) was refused, so nothing is held for it.")
            #expect(try await keyless.run("wallet", "--set", "100", "--by", "ann").status == 0)
            #expect(
                try await keyless.run("wallet", "--set", "150", "--by", "ann").errors
                    == "50 credits came into the wallet since the last reading by no task of this service.\n")
            #expect(try await keyless.run(Self.submit).status == 0)
        }
    }

    @Test func `gives the first answer to a request that is asked again`() async throws {
        try await World.with { world async throws in
            let named = Self.submit + ["--client-request-id", "film-1"]
            let first = try await world.usage.run(named)
            let second = try await world.usage.run(named)
            #expect(first.status == 0)
            #expect(first.output == second.output)
            let other = try await world.usage.run(
                "submit", "--project", "films", "--prompt", "Another", "--client-request-id", "film-1")
            #expect(other.status == 1)
            #expect(
                other.sentence
                    == "client_request_id 'film-1' was used before for another request; use a new one for a new request."
            )
            #expect(try await world.count("SELECT count(*) FROM reservation") == 1)
        }
    }

    @Test func `counts what a file holds anew, names the line that is refused, and reads over a byte order mark`()
        async throws
    {
        try await World.with(budget: 84) { world async throws in
            #expect(try await world.usage.run("wallet", "--read").status == 0)
            let lines = (1...2).map { #"{"project": "films", "prompt": "x", "client_request_id": "film-\#($0)"}"# }
            let two = try TemporaryFile(["\u{FEFF}" + lines[0], lines[1]])
            let first = try await world.usage.run("submit", "--file", two.path)
            #expect(first.status == 0)
            #expect(first.errors == "2 of 2 tasks queued, 84 credits held.\n")
            let three = try TemporaryFile(lines + ["", #"{"project": "films", "prompt": "y"}"#])
            let again = try await world.usage.run("submit", "--file", three.path)
            #expect(again.status == 2)
            #expect(again.output == first.output)
            let notes = again.errors.split(separator: "\n")
            #expect(notes.first?.hasPrefix("\(three.path), line 4: Refused, nothing held (") == true, "\(notes)")
            #expect(
                notes.last == "0 of 3 tasks queued, 0 credits held; 2 had been queued before, see: usage tasks")
            let named = Self.submit + ["--client-request-id", "film-9"]
            #expect(!(try await world.usage.run(named)).errors.contains("That was the answer at "))
            #expect(try await world.usage.run("budget", "set", "films", "--month", "840").status == 0)
            let repeated = try await world.usage.run(named)
            #expect(repeated.status == 2)
            #expect(repeated.errors.contains("; a new client_request_id gets a new one."), "\(repeated.errors)")
            let json = try await world.usage.run("submit", "--file", three.path, "--format", "json")
            #expect(json.output.contains(#""client_request_id":"film-2""#) && json.output.contains(#""line":4"#))
        }
    }

    @Test func `lists older tasks with the filters that were given, and only where there are some`() async throws {
        try await World.with { world async throws in
            for number in 1...3 { try await world.submit("Scene \(number)") }
            let list = ["tasks", "--project", "films", "--state", "queued", "--limit"]
            #expect(try await world.usage.run(list + ["3"]).errors == "")
            let newest = try await world.usage.run(list + ["2"])
            #expect(
                newest.errors.hasPrefix("Older ones: usage tasks --project films --state queued --limit 2 --before "))
            let arguments = newest.errors.split(whereSeparator: \.isWhitespace).dropFirst(3).map(String.init)
            let older = try await world.usage.run(arguments)
            #expect(older.output.split(separator: "\n").count == 3 && older.errors == "", "\(older.output)")
        }
    }

    @Test func `uploads two references in order after the guard's yes, and waits for the end`() async throws {
        try await World.with { world async throws in
            let first = try TemporaryFile(bytes: TemporaryFile.png, name: "first.png")
            let last = try TemporaryFile(bytes: TemporaryFile.png + [0], name: "last.png")
            let worker = try world.usage.start(world.worker)
            let outcome = try await world.usage.run(
                Self.submit + ["--reference", first.path, "--reference", last.path, "--wait"])
            worker.terminate()
            _ = await worker.outcome()
            #expect(outcome.status == 0, "\(outcome.errors)")
            let body = try await world.pool.query(
                "SELECT convert_from(body, 'UTF8')::jsonb #>> '{params,referenceMediaItems,1,name}' AS name FROM client_request"
            )
            #expect(try body[0].decode("name", as: String.self) == "last.png")
        }
    }

    @Test func `uploads nothing that the guard refuses`() async throws {
        try await World.with(budget: 41) { world async throws in
            let image = try TemporaryFile(bytes: TemporaryFile.png, name: "first.png")
            let outcome = try await world.usage.run(Self.submit + ["--reference", image.path])
            #expect(outcome.status == 2)
            #expect(await world.sandbox.books.report().requests["upload"] ?? 0 == 0)
        }
    }

    @Test func `takes up a task whose upload failed when it is asked again`() async throws {
        try await World.with { world async throws in
            let image = try TemporaryFile(bytes: TemporaryFile.png, name: "first.png")
            let named = Self.submit + ["--reference", image.path, "--client-request-id", "film-1"]
            await world.sandbox.failNext(.serverError, times: 10, on: .upload)
            let failed = try await world.usage.run(named)
            #expect(failed.status == 1)
            #expect(
                failed.errors.contains("the credits stay held: submit it again with --client-request-id film-1"),
                "\(failed.errors)")
            await world.sandbox.failNext(.serverError, times: 0, on: .upload)
            var again = try await world.usage.run(named)
            for _ in 0..<5 where again.status != 0 { again = try await world.usage.run(named) }
            #expect(again.status == 0, "\(again.errors)")
            try await world.workUntilIdle()
            #expect(try await world.count("SELECT count(*) FROM reservation") == 1)
            #expect(await world.sandbox.books.report().tasks.count == 1)
        }
    }

    @Test func `does not read a file that is too long`() async throws {
        let file = try TemporaryFile([])
        #expect(truncate(file.path, 256 * 1024 * 1024 + 1) == 0)
        let usage = Program(environment: ["DATABASE_URL": TestDatabase.current.url])
        let outcome = try await usage.run("submit", "--project", "films", "--file", file.path)
        #expect(outcome.status == 1)
        #expect(outcome.errors == "Error: \(file.path) is longer than 256 MiB; split it.\n")
    }

    @Test func `takes a file of tasks of two projects`() async throws {
        try await World.with { world async throws in
            _ = try await world.usage.run("project", "create", "ads", "--month", "84")
            let lines = (0..<5).flatMap { number in
                ["films", "ads"].map {
                    #"{"project": "\#($0)", "prompt": "Scene \#(number)", "client_request_id": "\#($0)-\#(number)"}"#
                }
            }
            let file = try TemporaryFile(lines)
            let outcome = try await world.usage.run("submit", "--file", file.path, "--format", "json")
            #expect(outcome.status == 2)
            let answers = outcome.output.split(separator: "\n")
            #expect(answers.count == 10)
            #expect(answers.filter { $0.contains(#""outcome":"queued""#) }.count == 7)
            // Asked again, all answers stand and nothing more is held.
            let again = try await world.usage.run("submit", "--file", file.path, "--format", "json")
            #expect(again.output == outcome.output)
            try await world.workUntilIdle()
        }
    }
}
