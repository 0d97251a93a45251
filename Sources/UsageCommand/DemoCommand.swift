import Accounting
import ArgumentParser
import Ledger
import Logging
import Postgres
import Reporting
import RivyaClient
import RivyaSandbox
import Worker

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

struct DemoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo",
        abstract: "Show it all at work: three projects, one wallet, a sandbox that misbehaves, a report.",
        discussion: """
            Uses a PostgreSQL and a sandbox of its own and removes both afterwards; needs no key and spends nothing.

            EXAMPLE: look around in the books afterwards
              usage demo --keep
            """)

    @Flag(help: "Leave the demo's PostgreSQL running, and say where it is.")
    var keep = false

    /// Enough for 13 tasks of 42 credits.
    private static let openingCredits = 546

    func run() async throws {
        let home = FileManager.default.temporaryDirectory.appending(
            path: "usage-demo-\(UUID().uuidString.prefix(8).lowercased())"
        ).path
        let server = LocalPostgres(home: home)
        do {
            try await show(Location(server))
        } catch {
            if keep { Terminal.note("The demo's books stay in USAGE_HOME=\(home)") } else { remove(server) }
            throw error
        }
        guard keep else { return remove(server) }
        Terminal.print(
            "\nThe demo's books stay. Look around:\n  USAGE_HOME=\(home) usage tasks\n  USAGE_HOME=\(home) usage postgres stop\n"
        )
    }

    private func remove(_ server: LocalPostgres) {
        do {
            try server.stop()
            try FileManager.default.removeItem(atPath: server.home)
        } catch {
            Terminal.note("The demo's PostgreSQL in \(server.home) could not be removed: \(error)")
        }
    }

    private func show(_ location: Location) async throws {
        var settings = SandboxSettings(openingCredits: DemoCommand.openingCredits, secondsToFinish: 0.3)
        settings.failureShare = 0.15
        settings.faults.seed = 3
        try await RivyaSandbox.withSandbox(settings: settings, clock: { SystemClock.now }) {
            sandbox, baseURL async throws in
            // An answer that is lost after the provider took the credits, and two that fail before it did.
            await sandbox.failNext(.cut)
            await sandbox.failNext(.serverError, times: 2)
            try await Books.open(connections: 4, at: location) { books in
                let ledger = try await books.ledger(of: "main")
                let client = RivyaClient(
                    try RivyaConfiguration(
                        baseURL: baseURL, apiKey: APIKey(SandboxSettings.defaultKey), requestTimeout: .seconds(5),
                        retry: .never),
                    logger: Logger(label: "usage.provider"))
                do {
                    try await work(books, ledger, client)
                    let provider = await sandbox.books.report()
                    try await Books.open(as: .report, connections: 1, at: location) {
                        try await compare($0, with: provider)
                    }
                } catch {
                    await client.shutdown()
                    throw error
                }
                await client.shutdown()
            }
        }
    }

    private func work(_ books: Books, _ ledger: Ledger, _ client: RivyaClient) async throws {
        let now = SystemClock.now
        let reading = try await ledger.readBalance(from: client, clock: { SystemClock.now })
        say("The wallet holds \(reading.current) credits, enough for 13 tasks of 42. Three projects share it:")
        for (project, month, count) in [("ads", 126, 5), ("films", 420, 6), ("games", 4200, 8)] {
            try await ledger.createProject(project, month: Credits(Int64(month)), at: now)
            let refusals = try await submit(count, to: ledger, for: project)
            say(
                "  \(project): budget \(Credits(Int64(month))) a month; \(count) tasks submitted, \(refusals.count) refused"
            )
            if let reason = refusals.first?.reasons.first { say("      because \(reason)") }
        }
        say("A worker sends them; the sandbox drops one answer, fails two requests, and lets some tasks fail …")
        let settings = WorkerSettings(
            polling: PollSchedule(first: .milliseconds(200), interval: .milliseconds(100)),
            retry: RetryPolicy(
                maximumAttempts: .max, baseDelay: .milliseconds(100), maximumDelay: .seconds(1),
                maximumRetryAfter: .seconds(5)),
            stopsWhenIdle: true)
        try await WorkerCommand.run(
            Worker(
                ledger: ledger, pool: books.pool, client: client, settings: settings,
                logger: Logger(label: "usage.worker"), clock: { SystemClock.now }))
        _ = try await ledger.readBalance(from: client, clock: { SystemClock.now })
    }

    private func submit(_ count: Int, to ledger: Ledger, for project: String) async throws -> [Refusal] {
        let submission = Submission(ledger: ledger, client: nil)
        var refusals: [Refusal] = []
        for number in 1...count {
            let draft = try Draft(
                project: project,
                request: GenerationRequest(model: "kling-v2-5-turbo-pro", prompt: "Scene \(number) of \(project)"),
                references: [], clientRequestID: nil)
            switch await submission.submit(draft) {
            case .queued: break
            case .refused(let refusal, _): refusals.append(refusal)
            case .failed(let sentence): throw Mistake(sentence)
            }
        }
        return refusals
    }

    private func compare(_ books: Books, with provider: BooksReport) async throws {
        let report = try await Report.make(
            ReportRequest(wallet: "main"), from: books.pool, at: SystemClock.now)
        say("")
        Terminal.print(Terminal.hasColours ? report.table(style: Terminal.colour) : report.table())

        let differences = try await Verification.run(on: books.pool)
        say("\nusage verify: \(differences.isEmpty ? "ok" : "\(differences.count) differences")")
        guard let balance = try await Wallet.all(in: books.pool, slug: "main").first?.balance else {
            throw LedgerError.unknownWallet("main")
        }
        let theirs = provider.totals
        let figures: [(String, Int64, Int64)] = [
            ("charged", Int64(theirs.chargedCredits), balance.charged.amount),
            ("held", Int64(theirs.heldCredits), balance.held.amount),
            ("balance", Int64(theirs.currentCredits), balance.reading?.amount ?? -1),
            ("tasks", Int64(theirs.tasks), report.total.figure("tasks")),
        ]
        var table = TextTable([.text("provider's books and ours"), .number("provider"), .number("ours")])
        for (name, provider, ours) in figures {
            table.add([name, Credits(provider).description, Credits(ours).description])
        }
        Terminal.print("\n" + table.render())
        guard differences.isEmpty, theirs.isBalanced, figures.allSatisfy({ $0.1 == $0.2 }) else {
            throw Mistake("The books differ; that is a bug. Run again with --keep and see: usage verify")
        }
        say("\nEqual to the credit.")
    }

    private func say(_ line: String) { Terminal.print(line + "\n") }
}
