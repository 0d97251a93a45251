import Foundation
import Postgres
import RivyaSandbox
import TestDatabase
import Testing
import UsageSQL

/// A mistake of a newcomer: what is typed, and the one sentence that answers it.
struct NewcomersMistake: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let arguments: [String]
    let status: Int32
    let sentence: String
    var environment: [String: String] = [:]

    static let all: [NewcomersMistake] = [
        NewcomersMistake(
            testDescription: "no API key", arguments: ["worker"], status: 1,
            sentence: "There is no API key for wallet main; put it into the environment variable RIVYA_API_KEY.",
            environment: ["RIVYA_API_KEY": ""]),
        NewcomersMistake(
            testDescription: "an API key that is none", arguments: ["wallet", "--read"], status: 1,
            sentence: "RIVYA_API_KEY cannot be used: ", environment: ["RIVYA_API_KEY": "rvya sk with spaces"]),
        NewcomersMistake(
            testDescription: "a wrong API key", arguments: ["wallet", "--read"], status: 1,
            sentence: "The balance cannot be read: the provider refused with api_key_invalid",
            environment: ["RIVYA_API_KEY": "rvya_sk_wrong"]),
        NewcomersMistake(
            testDescription: "an unencrypted provider", arguments: ["wallet", "--read"], status: 1,
            sentence: "RIVYA_BASE_URL cannot be used: ", environment: ["RIVYA_BASE_URL": "http://example.com"]),
        NewcomersMistake(
            testDescription: "an unknown project", arguments: ["submit", "--project", "flims", "--prompt", "x"],
            status: 1,
            sentence:
                "There is no project 'flims'; see usage project list, or make it with: usage project create flims --month 4200"
        ),
        NewcomersMistake(
            testDescription: "an unknown wallet",
            arguments: ["submit", "--project", "films", "--prompt", "x", "--wallet", "mian"],
            status: 1,
            sentence:
                "There is no wallet 'mian'; see usage wallet, or make it with: usage wallet create mian --key-variable NAME"
        ),
        NewcomersMistake(
            testDescription: "an unpriced model",
            arguments: ["submit", "--project", "films", "--prompt", "x", "--model", "kling-2-6"], status: 1,
            sentence:
                "The price book has no price for model 'kling-2-6'; set one with: usage price set kling-2-6 --credits N"
        ),
        NewcomersMistake(
            testDescription: "tasks as CSV without a month", arguments: ["tasks", "--format", "csv"], status: 64,
            sentence: "--format csv writes the tasks of a month; name it, such as --month 2026-05."),
        NewcomersMistake(
            testDescription: "a month's tasks in another form", arguments: ["tasks", "--month", "2026-05"], status: 64,
            sentence: "--month and --output go with --format csv; add it."),
        NewcomersMistake(
            testDescription: "the newest tasks as CSV",
            arguments: ["tasks", "--month", "2026-05", "--format", "csv", "--limit", "5"], status: 64,
            sentence: "--format csv writes every task of the month; leave out --state, --limit and --before."),
        NewcomersMistake(
            testDescription: "no prompt", arguments: ["submit", "--project", "films"], status: 64,
            sentence: "The prompt is missing; give it with --prompt \"A lighthouse at dawn\"."),
        NewcomersMistake(
            testDescription: "a prompt of 2501",
            arguments: ["submit", "--project", "films", "--prompt", String(repeating: "x", count: 2501)], status: 1,
            sentence: "prompt has 2501 "),
        NewcomersMistake(
            testDescription: "a prompt of 1251 emoji, each two UTF-16 units",
            arguments: ["submit", "--project", "films", "--prompt", String(repeating: "🎬", count: 1251)], status: 1,
            sentence: "prompt has 2502 "),
        NewcomersMistake(
            testDescription: "cfg_scale 1.5",
            arguments: ["submit", "--project", "films", "--prompt", "x", "--cfg-scale", "1.5"], status: 1,
            sentence: "cfg_scale is the number 1.5; "),
        NewcomersMistake(
            testDescription: "a duration of 7",
            arguments: ["submit", "--project", "films", "--prompt", "x", "--duration", "7"], status: 1,
            sentence: "duration is \"7\"; "),
        NewcomersMistake(
            testDescription: "an unknown parameter",
            arguments: ["submit", "--project", "films", "--prompt", "x", "--param", "fps=60"], status: 1,
            sentence: "fps "),
        NewcomersMistake(
            testDescription: "a parameter that is given twice",
            arguments: [
                "submit", "--project", "films", "--prompt", "x", "--duration", "5", "--param", "duration=10",
            ], status: 64, sentence: "The parameter 'duration' is given twice; leave one of them out."),
        NewcomersMistake(
            testDescription: "a name for a request on two lines",
            arguments: ["submit", "--project", "films", "--prompt", "x", "--client-request-id", "film\n1"], status: 1,
            sentence: "The client_request_id has a line break or another control character; leave that out."),
        NewcomersMistake(
            testDescription: "the tasks of an unknown project", arguments: ["tasks", "--project", "flims"], status: 1,
            sentence: "There is no project 'flims'; see usage project list"),
        NewcomersMistake(
            testDescription: "a month that is none", arguments: ["report", "--month", "2026-13"], status: 64,
            sentence: "'2026-13' is not a month; write it as 2026-05."),
        NewcomersMistake(
            testDescription: "a year for a month", arguments: ["report", "--month", "2026"], status: 64,
            sentence: "'2026' is not a month; write it as 2026-05."),
        NewcomersMistake(
            testDescription: "a report of an unknown project", arguments: ["report", "--project", "flims"], status: 1,
            sentence: "There is no project 'flims'; see the projects with: usage project list"),
        NewcomersMistake(
            testDescription: "a folder that is not there", arguments: ["report", "--output", "/nonexistent/may.csv"],
            status: 1,
            sentence: "The report cannot be written: /nonexistent/may.csv cannot be made: No such file or directory."),
        NewcomersMistake(
            testDescription: "a budget below zero", arguments: ["budget", "set", "films", "--month=-1"], status: 64,
            sentence: "'-1' is not a number of credits; write a whole number from 0 to 10^15."),
        NewcomersMistake(
            testDescription: "a project named in capitals", arguments: ["project", "create", "Films", "--month", "1"],
            status: 64,
            sentence:
                "'Films' is not a name for a project; use 1 to 63 lower-case letters, digits, - or _, such as film-team."
        ),
        NewcomersMistake(
            testDescription: "a project made twice", arguments: ["project", "create", "films", "--month", "1"],
            status: 1,
            sentence: "Project 'films' exists already."),
        NewcomersMistake(
            testDescription: "a balance that nobody gave", arguments: ["wallet", "--set", "5"], status: 64,
            sentence: "--set and --by go together: who says so is recorded, as in --set 12600 --by ann."),
        NewcomersMistake(
            testDescription: "a time zone that is none",
            arguments: ["wallet", "create", "eu", "--time-zone", "Berlin", "--key-variable", "KEY"], status: 1,
            sentence: "'Berlin' is not a time zone; write it as Europe/Berlin or UTC."),
        NewcomersMistake(
            testDescription: "a key where its variable's name belongs",
            arguments: ["wallet", "create", "eu", "--key-variable", "rvya_sk_secret"], status: 64,
            sentence:
                "--key-variable takes the name of an environment variable, such as RIVYA_API_KEY_STUDIO, not a key."),
        NewcomersMistake(
            testDescription: "the id of no task", arguments: ["task", "42"], status: 64,
            sentence: "'42' is not the id of a task; copy it from: usage tasks"),
        NewcomersMistake(
            testDescription: "a task that is not there", arguments: ["task", "019a8f3e-5a00-7c3d-9b1e-2f6a7d8c9b0a"],
            status: 1,
            sentence: "There is no task 019a8f3e-5a00-7c3d-9b1e-2f6a7d8c9b0a in wallet main; see: usage tasks"),
        NewcomersMistake(
            testDescription: "a file that is not there", arguments: ["submit", "--file", "nowhere.jsonl"], status: 1,
            sentence: "nowhere.jsonl cannot be read; check its name and your right to read it."),
        NewcomersMistake(
            testDescription: "a folder where a file belongs", arguments: ["submit", "--file", "/tmp"], status: 1,
            sentence: "/tmp is not a file; write the tasks into one."),
        NewcomersMistake(
            testDescription: "a misspelt command", arguments: ["reprot"], status: 64,
            sentence: "Unexpected argument 'reprot'"),
        NewcomersMistake(
            testDescription: "no server at DATABASE_URL", arguments: ["report"], status: 1, sentence: "",
            environment: ["DATABASE_URL": "postgresql://ann:secret@127.0.0.1:1/usage"]),
        NewcomersMistake(
            testDescription: "a DATABASE_URL that is none", arguments: ["report"], status: 1,
            sentence: "DATABASE_URL cannot be ",
            environment: ["DATABASE_URL": "postgresql://ann:secret@[::1/usage"]),
    ]
}

@Suite(.database(migrations: UsageSQL.migrations)) struct `A newcomer's mistake` {
    @Test(arguments: NewcomersMistake.all)
    func `gets one sentence and the right exit code, and nothing is held`(_ mistake: NewcomersMistake) async throws {
        try await World.with { world async throws in
            var usage = world.usage
            usage.environment.merge(mistake.environment) { $1 }
            let outcome = try await usage.run(mistake.arguments)
            #expect(outcome.status == mistake.status)
            #expect(outcome.sentence.hasPrefix(mistake.sentence), "\(outcome.errors)")
            #expect(outcome.output == "")
            #expect(!outcome.errors.contains("secret"))
            #expect(!outcome.errors.contains("Fatal error"))
            // One sentence, and for wrong usage the parser's pointer to the help.
            let lines = outcome.errors.split(separator: "\n")
            #expect(mistake.status == 64 ? lines.count <= 4 : lines.count == 1, "\(outcome.errors)")
            #expect(try await world.count("SELECT count(*) FROM reservation") == 0)
            #expect(await world.sandbox.books.report().tasks.isEmpty)
        }
    }

    @Test func `in line 7 of a file holds nothing for the lines before it`() async throws {
        try await World.with { world async throws in
            let good = #"{"project": "films", "prompt": "A lighthouse"}"#
            let file = try TemporaryFile(Array(repeating: good, count: 6) + [#"{"project": "films", "prompt": "#])
            let outcome = try await world.usage.run("submit", "--file", file.path)
            #expect(outcome.status == 1)
            #expect(
                outcome.sentence
                    == #"\#(file.path), line 7: this is not JSON, it ends too early (at byte 31); write it as {"project": "films", "prompt": "…"}."#
            )
            #expect(try await world.count("SELECT count(*) FROM client_request") == 0)
        }
    }

    @Test(arguments: [
        (#"{"project": "flims", "prompt": "x"}"#, "There is no project 'flims'; "),
        (
            #"{"project": "films", "prompt": "x", "model": "kling-2-6"}"#,
            "The price book has no price for model 'kling-2-6'; "
        ),
    ])
    func `that only the database knows of holds nothing for the lines before it`(
        line: String, sentence: String
    ) async throws {
        try await World.with { world async throws in
            let file = try TemporaryFile([#"{"project": "films", "prompt": "A lighthouse"}"#, line])
            let outcome = try await world.usage.run("submit", "--file", file.path)
            #expect(outcome.status == 1)
            #expect(outcome.sentence.hasPrefix("\(file.path), line 2: \(sentence)"), "\(outcome.errors)")
            #expect(try await world.count("SELECT count(*) FROM client_request") == 0)
        }
    }

    @Test func `in a member's name is told with the names there are`() async throws {
        try await World.with { world async throws in
            let file = try TemporaryFile([#"{"project": "films", "promt": "A lighthouse"}"#])
            let outcome = try await world.usage.run("submit", "--file", file.path)
            #expect(outcome.status == 1)
            #expect(
                outcome.sentence.contains("line 1: 'promt' is not a member of a task; it has project, model, prompt,"))
        }
    }

    @Test func `of three images, or a GIF named .png, is found before anything is held`() async throws {
        try await World.with { world async throws in
            let image = try TemporaryFile(bytes: TemporaryFile.png, name: "a.png")
            let gif = try TemporaryFile(bytes: Array("GIF89a".utf8) + [1, 0, 1, 0, 0, 0, 0], name: "b.png")
            let submit = ["submit", "--project", "films", "--prompt", "x"]
            let three = try await world.usage.run(
                submit + Array(repeating: ["--reference", image.path], count: 3).flatMap { $0 })
            #expect(three.status == 1)
            #expect(three.sentence.contains("3"), "\(three.errors)")
            let disguised = try await world.usage.run(submit + ["--reference", gif.path])
            #expect(disguised.status == 1)
            #expect(disguised.sentence.contains("GIF"), "\(disguised.errors)")
            #expect(try await world.count("SELECT count(*) FROM client_request") == 0)
        }
    }

    @Test func `in a report's project leaves no file behind, and a full disk is told`() async throws {
        try await World.with { world async throws in
            let file = try TemporaryFile(["old"])
            let outcome = try await world.usage.run("report", "--project", "flims", "--output", file.path)
            #expect(outcome.status == 1)
            let folder = URL(filePath: file.path).deletingLastPathComponent().path
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["tasks.jsonl"])
            let full = try await world.usage.run("report", "--output", "/dev/full")
            #expect(full.status == 1)
        }
    }

    @Test func `of a port in use is told`() async throws {
        try await World.with { world async throws in
            let port = try await world.sandbox.waitForPort()
            let outcome = try await world.usage.run("sandbox", "--port", "\(port)")
            #expect(outcome.status == 1)
            #expect(outcome.sentence.contains("\(port)"), "\(outcome.errors)")
        }
    }

    @Test func `of a database without the schema is told with the command that makes it`() async throws {
        try await World.with { world async throws in
            let empty = try await TestDatabase.emptyDatabase()
            var usage = world.usage
            usage.environment["DATABASE_URL"] = empty.url
            let outcome = try await usage.run("report")
            #expect(outcome.status == 1)
            #expect(
                outcome.sentence == "The database has not the schema of this program yet; make it with: usage migrate")
            #expect(try await usage.run("migrate").status == 0)
            #expect(try await usage.run("report").status == 0)
            try await empty.drop()
        }
    }

    @Test func `of an environment meant for another server does not reach the private one`() async throws {
        let home = FileManager.default.temporaryDirectory.appending(path: "usage-port-\(UUID().uuidString)").path
        let usage = Program(environment: ["USAGE_HOME": home, "PGPORT": "1", "PGHOST": "/nowhere", "PGUSER": "nobody"])
        let outcome = try await usage.run("wallet")
        _ = try await usage.run("postgres", "stop")
        try? FileManager.default.removeItem(atPath: home)
        #expect(outcome.status == 0, "\(outcome.errors)")
        #expect(outcome.output.contains("main"), "\(outcome.output)")
    }

    @Test func `of a machine without PostgreSQL is told with the command that installs it`() async throws {
        try await World.with { world async throws in
            let home = FileManager.default.temporaryDirectory.appending(path: "usage-none-\(UUID().uuidString)").path
            let usage = Program(environment: ["USAGE_HOME": home, "USAGE_POSTGRES_BIN": "/nonexistent"])
            let outcome = try await usage.run("report")
            #expect(outcome.status == 1)
            #expect(outcome.sentence.contains("PostgreSQL"), "\(outcome.errors)")
            try? FileManager.default.removeItem(atPath: home)
        }
    }
}
