import RivyaSandbox

/// Some commands in a row. Each is killed at each of its failure points, one point a time, and the story then goes on
/// as people would: the same command again, the rest of the commands, a worker until nothing is left.
struct Story: Sendable {
    enum Step: Sendable {
        case command(Command)
        /// What happens beside the program: at the provider, or as time goes by.
        case event(@Sendable (World) async throws -> Void)
    }

    let name: String
    var settings = SandboxSettings(openingCredits: 10_000, secondsToFinish: 0.05)
    /// The month budget of project `films`; nil where the database is empty at first.
    var budget: Int? = 420
    /// Whether the provider turns the task down. A task that was killed while it was sent is then in doubt for good,
    /// and a person has to end it.
    var needsPerson = false
    /// Whether it comes to the same end wherever it is killed.
    var hasOneEnd = true
    let steps: [Step]
    /// What the commands read; kept until the story is over.
    var files: [TemporaryFile] = []
}

/// One run of the program in a story.
struct Command: Sendable {
    /// `TASK` and `REFUSAL` stand for the ids of the first task and refusal.
    let arguments: [String]
    /// The exit code of a run that nothing disturbs.
    var status: Int32 = 0
    /// Exit codes that a run may also have after one that was killed, because that one had done it all.
    var otherStatusAgain: Int32?
    /// Whether it is killed, or only runs.
    var isWalked = true
    /// Where it dies in every telling.
    var diesAt: String?
    /// Whether it is run again after it was killed; nobody asks again who gave the request no name.
    var isRunAgain = true
    /// Whether the same request always gets the answer that it got first.
    var hasLastingAnswer = false
}

extension Story.Step {
    /// A command that is killed at its failure points.
    static func walk(_ arguments: String..., status: Int32 = 0, otherStatusAgain: Int32? = nil) -> Self {
        .command(Command(arguments: arguments, status: status, otherStatusAgain: otherStatusAgain))
    }

    /// A named request, killed at its failure points.
    static func walkSubmit(_ arguments: String..., status: Int32 = 0) -> Self {
        .command(Command(arguments: ["submit"] + arguments, status: status, hasLastingAnswer: true))
    }

    /// A command that leads to those that are killed.
    static func run(_ arguments: String..., status: Int32 = 0) -> Self {
        .command(Command(arguments: arguments, status: status, isWalked: false))
    }

    /// A task that waits in the queue.
    static let submit = run("submit", "--project", "films", "--prompt", "A lighthouse", "--client-request-id", "first")

    /// A worker in a hurry, killed at its failure points.
    static func walkWorker(lease: String = "0.5", readingInterval: String = "60") -> Self {
        .command(Command(arguments: World.worker(lease: lease, readingInterval: readingInterval)))
    }
}

extension World {
    /// The arguments of a worker that hurries to the end.
    static func worker(lease: String = "0.5", readingInterval: String = "60") -> [String] {
        [
            "worker", "--until-idle", "--poll-interval", "0.05", "--lease", lease, "--reading-interval",
            readingInterval, "--request-timeout", "5",
        ]
    }
}
