import Foundation
import Postgres
import RivyaSandbox

extension Story {
    /// The stories that go through every act of the program, and every way in which one of its requests can end.
    static func all() throws -> [Story] {
        try submissions() + endings + doubts + [readings, administration, migration]
    }

    private static func submissions() throws -> [Story] {
        let frames = try ["first.png", "last.png"].map { try TemporaryFile(bytes: TemporaryFile.png, name: $0) }
        let lines = try TemporaryFile(
            (1...3).map { #"{"project": "films", "prompt": "Scene \#($0)", "client_request_id": "scene-\#($0)"}"# })
        let task = ["--project", "films", "--prompt", "A lighthouse"]
        var tooLarge = SandboxSettings(openingCredits: 10_000, secondsToFinish: 0.05)
        tooLarge.maximumFileBytes = 16
        let uploads = Command(
            arguments: ["submit"] + task + ["--client-request-id", "first"]
                + frames.flatMap { ["--reference", $0.path] },
            hasLastingAnswer: true)
        var refusedUpload = uploads
        refusedUpload.status = 1
        return [
            Story(
                name: "a named task",
                steps: [
                    .walkSubmit("--project", "films", "--prompt", "A lighthouse", "--client-request-id", "first"),
                    .walkWorker(),
                ]),
            Story(
                name: "a task without a name", hasOneEnd: false,
                steps: [.command(Command(arguments: ["submit"] + task, isRunAgain: false))]),
            Story(name: "a task with two frames", steps: [.command(uploads)], files: frames),
            Story(
                name: "a frame that the provider refuses", settings: tooLarge, steps: [.command(refusedUpload)],
                files: frames),
            Story(
                name: "a refusal", budget: 41,
                steps: [
                    .walkSubmit(
                        "--project", "films", "--prompt", "A lighthouse", "--client-request-id", "first", status: 2)
                ]),
            Story(name: "a file of tasks", steps: [.walkSubmit("--file", lines.path)], files: [lines]),
        ]
    }

    /// How the provider ends a task, each followed by a worker.
    private static var endings: [Story] {
        var failing = SandboxSettings(openingCredits: 10_000, secondsToFinish: 0.05)
        failing.failureShare = 1
        // A share, not an order for the next request: one that is cut off by a death would use it up.
        var charged = SandboxSettings(openingCredits: 10_000, secondsToFinish: 0.05)
        charged.faults[.failedWithCharge] = 1
        var invalid = SandboxSettings(openingCredits: 10_000, secondsToFinish: 0.05)
        invalid.maximumBodyBytes = 16
        var failedTask = SandboxSettings(openingCredits: 100, secondsToFinish: 0.05)
        failedTask.insufficientCredits = .failedTask
        let tenMinutesLater = Step.event { world in
            try await world.pool.execute("UPDATE task_work SET due_at = now() WHERE state = 'settled'")
        }
        let spend = Step.event { _ = try await $0.sandbox.spendInStudio(90) }
        return [
            Story(name: "a failure", settings: failing, steps: [.submit, .walkWorker()]),
            Story(
                name: "a failure with a charge that is changed later", settings: charged,
                steps: [
                    .submit, .walkWorker(),
                    .event { world in
                        for task in await world.sandbox.books.report().tasks {
                            try await world.sandbox.revise(task.id, finalCredits: 20)
                        }
                    }, tenMinutesLater, .walkWorker(),
                    // One that was killed over it has it still.
                    tenMinutesLater, .command(Command(arguments: World.worker(), isWalked: false)),
                ]),
            Story(name: "a rejection", settings: invalid, needsPerson: true, steps: [.submit, .walkWorker()]),
            Story(
                name: "a guard miss, as an error",
                settings: SandboxSettings(openingCredits: 100, secondsToFinish: 0.05),
                needsPerson: true, steps: [.submit, spend, .walkWorker()]),
            Story(
                name: "a guard miss, as a failed task", settings: failedTask, steps: [.submit, spend, .walkWorker()]),
        ]
    }

    /// Answers that are lost or late, and a person who decides.
    private static var doubts: [Story] {
        var slow = SandboxSettings(openingCredits: 10_000, secondsToFinish: 0.05)
        slow.faults.slowSeconds = 0.6
        return [
            Story(
                name: "errors and lost answers",
                steps: [
                    .event { world in
                        await world.sandbox.failNext(.serverError)
                        await world.sandbox.failNext(.serverErrorAfter)
                        await world.sandbox.failNext(.cut, on: .status)
                    }, .submit, .walkWorker(),
                ]),
            Story(
                name: "a slow answer", settings: slow,
                steps: [.event { await $0.sandbox.failNext(.slow) }, .submit, .walkWorker(lease: "0.3")]),
            Story(
                name: "a person's word",
                steps: [
                    .submit,
                    .command(Command(arguments: World.worker(), isWalked: false, diesAt: "sent create#1")),
                    .event { try await $0.wait(until: "SELECT count(*) FROM task_work WHERE due_at < now()", is: 1) },
                    .walk(
                        "task", "resolve", "TASK", "--charged", "42", "--reason", "seen on Rivya", "--by", "ann",
                        otherStatusAgain: 1),
                ]),
        ]
    }

    private static let readings = Story(
        name: "readings",
        steps: [
            .walk("wallet", "--read"), .walk("wallet", "--set", "10000", "--by", "ann"), .submit,
            .walkWorker(readingInterval: "0.05"),
        ])

    private static let administration = Story(
        name: "administration",
        steps: [
            .walk("project", "create", "games", "--month", "4200", otherStatusAgain: 1),
            .walk("budget", "set", "games", "--month", "840", "--day", "420"),
            .walk(
                "price", "set", "kling-v2-5-turbo-pro", "--credits", "84", "--when", "duration=10", "--from",
                "2026-11-01T00:00:00Z", otherStatusAgain: 1),
            .walk("wallet", "create", "studio", "--key-variable", "RIVYA_API_KEY_STUDIO", otherStatusAgain: 1),
        ])

    private static let migration = Story(
        name: "a schema", budget: nil,
        steps: [.walk("migrate"), .run("project", "create", "films", "--month", "420"), .submit])

    /// The commands that only read, for books with a task `first` that has succeeded and a refusal.
    static let readers: [Command] = [
        ["tasks"], ["tasks", "--month", "2026-11", "--format", "csv"], ["task", "TASK"], ["task", "REFUSAL"],
        ["price", "list"], ["budget", "show", "films"],
        ["project", "list"], ["wallet"], ["verify"], ["export"], ["report"], ["report", "--by", "model"],
        ["report", "--by", "day", "--format", "csv"], ["migrate", "--dry-run"],
        [
            "submit", "--project", "films", "--prompt", "A lighthouse", "--client-request-id", "first", "--wait",
        ],
    ].map { Command(arguments: $0) }
}
