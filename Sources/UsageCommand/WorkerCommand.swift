import ArgumentParser
import Ledger
import Logging
import RivyaClient
import ServiceLifecycle
import UnixSignals
import Worker

struct WorkerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "worker", abstract: "Send tasks, follow them and book what became of them.",
        discussion: """
            Any number of workers may run. On SIGTERM or Ctrl-C a worker takes nothing new and finishes what it has in hand. \
            A worker that dies loses nothing: another takes its tasks within seconds.

            EXAMPLE: work until everything has ended, then stop
              RIVYA_API_KEY=… usage worker --until-idle
            """)

    @Flag(help: "Stop once every task has ended or waits for a person.")
    var untilIdle = false

    @Option(help: "The most tasks in hand, and so requests, at once: 1 to 1024.")
    var concurrency = 16

    @Option(help: ArgumentHelp("The shortest wait between two status requests for a task.", valueName: "seconds"))
    var pollInterval = 5.0

    @Option(help: ArgumentHelp("How long that wait grows to as a task grows old.", valueName: "seconds"))
    var slowestPollInterval = 60.0

    @Option(help: ArgumentHelp("How old the reading of the balance may become.", valueName: "seconds"))
    var readingInterval = 60.0

    @Option(help: ArgumentHelp("How long the provider may take to answer.", valueName: "seconds"))
    var requestTimeout = 30.0

    @Option(help: ArgumentHelp("After how long a silent worker's tasks go to another.", valueName: "seconds"))
    var lease = 8.0

    @Option(help: ArgumentHelp("The longest wait before a failed request is repeated.", valueName: "seconds"))
    var retryInterval = 60.0

    @Option(
        help: ArgumentHelp("How long a task that may have been taken is sent again by itself.", valueName: "seconds"))
    var resendWindow = 900.0

    @Option(help: ArgumentHelp("After how long a failed task is read once more.", valueName: "seconds"))
    var recheckDelay = 600.0

    @OptionGroup var wallet: WalletOption

    func validate() throws {
        guard (1...1024).contains(concurrency) else {
            throw ValidationError("'\(concurrency)' is not a number of tasks in hand; write one from 1 to 1024.")
        }
        for (name, seconds) in [
            ("--poll-interval", pollInterval), ("--slowest-poll-interval", slowestPollInterval),
            ("--reading-interval", readingInterval),
            ("--request-timeout", requestTimeout),
            ("--lease", lease), ("--retry-interval", retryInterval), ("--resend-window", resendWindow),
            ("--recheck-delay", recheckDelay),
        ] where !(0.05...86_400).contains(seconds) {
            throw ValidationError("'\(seconds)' is not a time for \(name); write seconds from 0.05 to 86400.")
        }
    }

    func run() async throws {
        let settings = WorkerSettings(
            concurrency: concurrency, lease: .seconds(lease),
            polling: PollSchedule(
                first: min(.seconds(2), .seconds(pollInterval)), interval: .seconds(pollInterval),
                slowest: max(.seconds(slowestPollInterval), .seconds(pollInterval))),
            retry: RetryPolicy(
                maximumAttempts: .max, baseDelay: min(.seconds(1), .seconds(retryInterval)),
                maximumDelay: .seconds(retryInterval), maximumRetryAfter: .seconds(300)),
            resendWindow: .seconds(resendWindow), readingInterval: .seconds(readingInterval),
            recheckDelay: .seconds(recheckDelay), stopsWhenIdle: untilIdle)
        var logger = Logger(label: "usage.worker")
        logger.logLevel = Environment.logLevel ?? .info
        // One connection listens, one writes the books, and two are for the rest.
        try await Books.open(connections: 4) { [logger] books in
            let ledger = try await books.ledger(of: wallet.wallet)
            try await Provider.withClient(
                of: ledger.wallet, requests: concurrency, timeout: .seconds(requestTimeout), retry: .never
            ) { client in
                try await WorkerCommand.run(
                    Worker(
                        ledger: ledger, pool: books.pool, client: client, settings: settings,
                        logger: logger, clock: { SystemClock.now }))
            }
        }
    }

    /// Runs a worker until it is done or told to stop.
    static func run(_ worker: Worker) async throws {
        var configuration = ServiceGroupConfiguration(
            services: [.init(service: worker, successTerminationBehavior: .gracefullyShutdownGroup)],
            gracefulShutdownSignals: [.sigterm, .sigint], logger: Logger(label: "usage.lifecycle"))
        // A request in hand is over by then; what cannot be booked because the database is away is found out again.
        configuration.maximumGracefulShutdownDuration = .seconds(50)
        try await ServiceGroup(configuration: configuration).run()
    }
}
