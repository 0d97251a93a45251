import Accounting
import Foundation
import Ledger
import Postgres
import TestDatabase
import Testing
import UsageSQL

@Suite(.timeLimit(.minutes(10))) struct `Callers while the database is away` {
    /// What each of many callers at once is told, and how long the last one waited.
    private func ask(_ ledger: Ledger, callers: Int) async -> (errors: [LedgerError?], longest: Duration) {
        let start = ContinuousClock.now
        return await withTaskGroup(of: LedgerError?.self) { group in
            for _ in 0..<callers {
                group.addTask {
                    do throws(LedgerError) { _ = try await ledger.reserve(.sample()) } catch { return error }
                    return nil
                }
            }
            let errors = await group.reduce(into: [LedgerError?]()) { $0.append($1) }
            return (errors, ContinuousClock.now - start)
        }
    }

    /// Books on a server of the test's own.
    private func withServer(_ body: (PrivateServer, Ledger) async throws -> Void) async throws {
        let server = try TestDatabase.server()
        defer { server.remove() }
        let logger = TestDatabase.logger
        let pool = ConnectionPool(PostgresConfiguration(url: server.url), logger: logger)
        try await Migrator(migrations: UsageSQL.migrations, logger: logger).migrate(pool)
        let ledger = Ledger(wallet: try await .named("main", in: pool), pool: pool)
        try await ledger.createProject("alpha", month: .credits(1_000_000), at: .sample)
        try await ledger.read(1_000_000)
        try await body(server, ledger)
        #expect(try await ledger.reserve(.sample()).reservation != nil, "all is well when the server is back")
        await pool.close()
    }

    @Test func `that refuses are all told at once`() async throws {
        try await withServer { server, ledger in
            server.kill()
            let (errors, longest) = await ask(ledger, callers: 20_000)
            #expect(errors.allSatisfy { $0?.isTransient == true })
            // Two groups may have been told that the connection broke, all others that there is none.
            #expect(errors.count { $0?.outcomeIsUnknown == true } <= 2 * Ledger.groupLimit)
            print("20,000 callers of a database that refuses: \(longest)")
            // At once, as far as a machine allows that runs other tests; one group after another would take forty.
            #expect(longest < .seconds(8))
            try server.start()
        }
    }

    @Test func `that is frozen do not wait for each other's timeouts`() async throws {
        try await withServer { server, ledger in
            let process = try #require(server.processID)
            server.freeze()
            // What connects now is not answered.
            let pool = ConnectionPool(
                PostgresConfiguration(url: server.url, connectTimeout: .seconds(2)), logger: TestDatabase.logger)
            let (errors, longest) = await ask(Ledger(wallet: ledger.wallet, pool: pool), callers: 20_000)
            await pool.close()
            #expect(errors.allSatisfy { $0?.isTransient == true })
            print("20,000 callers of a database that is frozen: \(longest)")
            // Twenty groups, each of which would have waited two seconds and more.
            #expect(longest < .seconds(15))
            server.thaw(process)
        }
    }
}
