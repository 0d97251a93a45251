import Hummingbird
import Logging
import ServiceLifecycle

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// A local server that stands in for the provider: its documented contract, its own books, and faults on demand.
///
/// It listens until it is shut down. Everything it can be told in process it can also be told over HTTP under
/// `/sandbox/`, and `GET /books` gives its account of everything.
public struct RivyaSandbox: Service {
    /// What the sandbox knows and does.
    public let books: SandboxBooks
    private let heldAnswers = HeldAnswers()
    private let boundPort = BoundPort()
    private let host: String
    private let port: Int
    private let logger: Logger

    /// A sandbox that does not run yet.
    ///
    /// - Parameters:
    ///   - host: The address to listen on; whoever reaches it rules the sandbox, so leave it on loopback.
    ///   - port: The port to listen on; 0 takes any free one.
    ///   - clock: What time it is; tasks end by it.
    /// - Throws: ``SandboxError/invalidSettings(_:)``.
    public init(
        settings: SandboxSettings = SandboxSettings(), host: String = "127.0.0.1", port: Int = 0,
        clock: @escaping @Sendable () -> Date = { Date() }, logger: Logger
    ) throws(SandboxError) {
        books = try SandboxBooks(settings: settings, clock: clock)
        self.host = host
        self.port = port
        self.logger = logger
    }

    /// Serves until graceful shutdown or cancellation.
    ///
    /// - Throws: ``SandboxError/portInUse(_:)`` or ``SandboxError/cannotStart(_:)``.
    public func run() async throws {
        do {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    // A held answer would keep a graceful shutdown waiting.
                    try? await gracefulShutdown()
                    await heldAnswers.close()
                }
                try await serve()
                group.cancelAll()
            }
            await boundPort.resolve(.failure(.cannotStart("it was stopped")))
        } catch {
            let failure = SandboxError(startFailure: error, port: port)
            await boundPort.resolve(.failure(failure ?? .cannotStart("it was stopped")))
            throw failure ?? error
        }
    }

    /// Serves until graceful shutdown; a cancellation is made one.
    ///
    /// A server that is cancelled drops a connection that it is just accepting, and SwiftNIO traps then ("Deinited
    /// NIOAsyncWriter without calling finish()"). So the server is a task that no cancellation reaches.
    private func serve() async throws {
        var configuration = ServiceGroupConfiguration(services: [.init(service: application)], logger: logger)
        configuration.maximumGracefulShutdownDuration = .seconds(2)
        let services = ServiceGroup(configuration: configuration)
        let server = Task { try await services.run() }
        try await withTaskCancellationHandler {
            try await server.value
        } onCancel: {
            Task { await services.triggerGracefulShutdown() }
        }
    }

    private var application: some ApplicationProtocol {
        let router = Router(context: SandboxContext.self)
        router.add(middleware: UnknownPathMiddleware(books: books))
        ProviderRoutes(books: books, heldAnswers: heldAnswers).add(to: router)
        ControlRoutes(books: books, heldAnswers: heldAnswers).add(to: router)
        var quiet = logger
        quiet.logLevel = max(logger.logLevel, .warning)
        return Application(
            router: router,
            configuration: ApplicationConfiguration(address: .hostname(host, port: port), backlog: 4096),
            onServerRunning: { channel in
                let bound = channel.localAddress?.port ?? port
                logger.info("sandbox listens", metadata: ["host": "\(host)", "port": "\(bound)"])
                await boundPort.resolve(.success(bound))
            },
            logger: quiet)
    }

    /// Waits until the sandbox listens.
    ///
    /// - Returns: The port it listens on.
    /// - Throws: The ``SandboxError`` of a start that failed.
    public func waitForPort() async throws -> Int { try await boundPort.wait() }

    // MARK: Control

    /// Holds back the answers to create requests from now on: their tasks are made, and their credits taken.
    public func holdCreateAnswers() async { await heldAnswers.hold() }

    /// Lets the answers that are held go, and holds no more.
    public func releaseCreateAnswers() async { await heldAnswers.release() }

    /// Waits until so many create answers are held.
    public func waitForHeldCreates(count: Int) async { await heldAnswers.waitForCount(count) }

    /// Ends a task now; see ``SandboxBooks/finish(_:_:finalCredits:)``.
    public func finish(_ taskID: String, _ outcome: TaskOutcome, finalCredits: Int? = nil) async throws(SandboxError) {
        try await books.finish(taskID, outcome, finalCredits: finalCredits)
    }

    /// Changes what an ended task costs; see ``SandboxBooks/revise(_:finalCredits:)``.
    public func revise(_ taskID: String, finalCredits: Int) async throws(SandboxError) {
        try await books.revise(taskID, finalCredits: finalCredits)
    }

    /// Spends credits in Studio, or tops up; see ``SandboxBooks/spendInStudio(_:account:)``.
    @discardableResult
    public func spendInStudio(
        _ credits: Int, account: String = SandboxSettings.defaultAccount
    ) async throws(SandboxError) -> Int {
        try await books.spendInStudio(credits, account: account)
    }

    /// Lets the next requests meet a fault; see ``SandboxBooks/failNext(_:times:on:)``.
    public func failNext(_ fault: Fault, times: Int = 1, on endpoint: SandboxEndpoint = .create) async {
        await books.failNext(fault, times: times, on: endpoint)
    }
}

extension RivyaSandbox {
    /// Runs a sandbox on a free port while a closure runs.
    ///
    /// - Parameter body: Gets the sandbox and its base URL, `http://127.0.0.1:<port>`.
    /// - Throws: What the closure throws, or the ``SandboxError`` of a start that failed.
    public static func withSandbox<Value>(
        settings: SandboxSettings = SandboxSettings(), clock: @escaping @Sendable () -> Date = { Date() },
        logger: Logger = Logger(label: "sandbox", factory: { _ in SwiftLogNoOpLogHandler() }),
        _ body: (RivyaSandbox, _ baseURL: String) async throws -> Value
    ) async throws -> Value {
        let sandbox = try RivyaSandbox(settings: settings, clock: clock, logger: logger)
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await sandbox.run() }
            defer { group.cancelAll() }
            let port = try await sandbox.waitForPort()
            let value = try await body(sandbox, "http://127.0.0.1:\(port)")
            group.cancelAll()
            // Cancellation is how it ends here; an error would only say so.
            while await group.nextResult() != nil {}
            return value
        }
    }
}
