import ArgumentParser
import Logging
import RivyaSandbox
import ServiceLifecycle
import UnixSignals

struct SandboxCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sandbox", abstract: "Run a stand-in for Rivya on this machine, with its own books.",
        discussion: """
            It keeps the documented contract. GET /books returns its own account of everything; under /sandbox it takes \
            orders (see docs/sandbox.md). No credit of yours is spent.

            EXAMPLE: every tenth task fails, and one answer in five is lost
              usage sandbox --port 8080 --credits 1260 --failures 0.1 --fault cut=0.2 &
              export RIVYA_BASE_URL=http://127.0.0.1:8080 RIVYA_API_KEY=rvya_sk_sandbox
              usage worker
            """)

    @Option(help: "Where to listen; 0 takes any free port.")
    var port = 8080

    @Option(help: "The address to listen on.")
    var host = "127.0.0.1"

    @Option(help: ArgumentHelp("The opening balance.", valueName: "credits"))
    var credits = 10_000

    @Option(help: ArgumentHelp("How long a task takes.", valueName: "seconds"))
    var seconds = 2.0

    @Option(help: ArgumentHelp("The share of tasks that fail, 0 to 1.", valueName: "share"))
    var failures = 0.0

    @Option(help: ArgumentHelp("The most requests in a second.", valueName: "requests"))
    var rateLimit: Int?

    @Option(help: ArgumentHelp("A fault and how often it happens, 0 to 1; may be repeated.", valueName: "fault=share"))
    var fault: [String] = []

    @Option(help: "The same seed gives the same faults.")
    var seed = 1

    @Option(help: ArgumentHelp("Further settings as JSON, as GET /sandbox/settings shows them.", valueName: "json"))
    var settings: String?

    func validate() throws {
        guard (0...65_535).contains(port) else {
            throw ValidationError("'\(port)' is not a port; write one from 0 to 65535.")
        }
        guard (0...1_000_000_000_000).contains(credits) else {
            throw ValidationError("'\(credits)' is not a balance; write a whole number from 0 to 10^12.")
        }
        if let rateLimit, !(1...1_000_000).contains(rateLimit) {
            throw ValidationError("'\(rateLimit)' is not a number of requests; write one from 1 to 1000000.")
        }
        guard (1...253).contains(host.utf8.count), Check.isOneLine(host) else {
            throw ValidationError("'\(Check.shown(host))' is not an address; write one such as 127.0.0.1.")
        }
        guard (0...1).contains(failures) else {
            throw ValidationError("'\(failures)' is not a share; write one from 0 to 1.")
        }
        guard (0...86_400).contains(seconds) else {
            throw ValidationError("'\(seconds)' is not a time; write seconds from 0 to 86400.")
        }
        for text in fault { _ = try SandboxCommand.fault(text) }
    }

    private static func fault(_ text: String) throws -> (Fault, Double) {
        let parts = text.split(separator: "=", omittingEmptySubsequences: false)
        guard parts.count == 2, let fault = Fault(rawValue: String(parts[0])), let share = Double(parts[1]),
            (0...1).contains(share)
        else {
            let known = Fault.allCases.map(\.rawValue).joined(separator: ", ")
            throw ValidationError(
                "'\(Check.shown(text))' is not a fault and its share; write it as cut=0.2, with one of \(known).")
        }
        return (fault, share)
    }

    /// All that was chosen, checked.
    func chosen() throws -> SandboxSettings {
        var chosen = SandboxSettings(openingCredits: credits, secondsToFinish: seconds)
        chosen.failureShare = failures
        chosen.rateLimitPerSecond = rateLimit
        chosen.faults = Faults(Dictionary(try fault.map(SandboxCommand.fault)) { $1 }, seed: seed)
        return try chosen.patched(with: settings ?? "{}")
    }

    func run() async throws {
        let sandbox = try RivyaSandbox(
            settings: chosen(), host: host, port: port, clock: { SystemClock.now },
            logger: Logger(label: "usage.sandbox"))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                let port = try await sandbox.waitForPort()
                Terminal.note(
                    "The sandbox listens on http://\(host):\(port) and takes the key \(SandboxSettings.defaultKey); stop it with Ctrl-C."
                )
            }
            group.addTask {
                try await ServiceGroup(
                    configuration: ServiceGroupConfiguration(
                        services: [.init(service: sandbox)], gracefulShutdownSignals: [.sigterm, .sigint],
                        logger: Logger(label: "usage.lifecycle"))
                ).run()
            }
            try await group.waitForAll()
        }
    }
}
