import Accounting
import Foundation
import Postgres
import TestDatabase
import Testing

@testable import Ledger

@Suite(.books) struct `Groups under way` {
    /// Asks for so many tasks, one after the other, without waiting for the answers.
    private func ask(
        _ ledger: Ledger, _ names: Range<Int>, body: String? = nil
    ) -> [Task<Result<ReservationOutcome, LedgerError>, Never>] {
        let line = Line()
        return names.map { name in
            let submission = body.map { TaskSubmission.sample(named: "\(name)", body: $0) } ?? .sample(named: "\(name)")
            return Task(executorPreference: line) {
                do throws(LedgerError) { return .success(try await ledger.reserve(submission)) } catch {
                    return .failure(error)
                }
            }
        }
    }

    /// Runs a body while somebody else has the wallet's row, from the moment on at which a group waits for it.
    private func whileLocked<V: Sendable>(
        _ body: @escaping @Sendable (_ owner: Connection, _ untilBlocked: () async -> Void) async -> V
    ) async throws -> V {
        let observer = TestDatabase.current.pool(maximumConnections: 1)
        // Connected before there is something to see, which may be over soon.
        try await observer.execute("SELECT 1")
        return try await TestDatabase.current.pool(maximumConnections: 1).withConnection {
            (owner) throws(PostgresError) in
            try await owner.execute("BEGIN")
            try await owner.execute("SELECT FROM wallet_balance FOR UPDATE")
            let value = await body(owner) {
                await wait { (try? await observer.query(blocked).isEmpty) == false }
            }
            try await owner.execute("COMMIT")
            return value
        }
    }

    @Test func `are two at once, and when the connection is lost all in them are told and nobody else`() async throws {
        let ledger = try await Ledger.sample()
        let asked = try await whileLocked { owner, untilBlocked in
            let first = self.ask(ledger, 0..<1)
            await untilBlocked()
            // The second group goes once eight wait; the others can not be taken any more.
            let second = self.ask(ledger, 1..<9)
            await wait { ledger.groupsUnderWay >= 2 }
            let others = self.ask(ledger, 9..<30)
            await wait { ledger.waitingCount >= 21 }
            _ = try? await owner.query(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
            )
            return first + second + others
        }
        var unknown: [Int] = []
        for (name, task) in asked.enumerated() {
            switch await task.value {
            case .success(let outcome): #expect(outcome.reservation != nil)
            case .failure(let error):
                #expect(error.outcomeIsUnknown)
                unknown.append(name)
            }
        }
        #expect(unknown == Array(0...8))
        #expect(try await ledger.balance.held == .credits(42 * 21))
        for task in ask(ledger, 0..<30) { #expect(try await task.value.get().reservation != nil) }
        #expect(try await ledger.balance.held == .credits(42 * 30))
    }

    @Test func `are decided in the order in which their callers came`() async throws {
        let ledger = try await Ledger.sample(reading: 42 * 600)
        let asked = try await whileLocked { _, untilBlocked in
            let first = self.ask(ledger, 0..<1)
            await untilBlocked()
            return first + self.ask(ledger, 1..<1_000)
        }
        for (name, task) in asked.enumerated() {
            #expect((try await task.value.get().reservation != nil) == (name < 600), "\(name)")
        }
        let names = try await TestDatabase.current.texts(
            """
            SELECT client_request_id FROM (SELECT client_request_id, entry_number FROM reservation
            UNION ALL SELECT client_request_id, entry_number FROM refusal) AS entry ORDER BY entry_number
            """)
        #expect(names == (0..<1_000).map(String.init))
        #expect(try await groupCount() > 2)
    }

    @Test func `do not spoil each other`() async throws {
        let ledger = try await Ledger.sample()
        let asked = try await whileLocked { _, untilBlocked in
            let first = self.ask(ledger, 0..<1)
            await untilBlocked()
            // The row of this one cannot be written, and so neither can its group as a whole.
            let bad = Task(executorPreference: Line()) {
                do throws(LedgerError) {
                    _ = try await ledger.reserve(.sample(named: String(repeating: "x", count: 129)))
                    return false
                } catch { return !error.isTransient }
            }
            let others = self.ask(ledger, 1..<100)
            await wait { ledger.groupsUnderWay >= 2 }
            return (good: first + others, bad: bad)
        }
        #expect(await asked.bad.value)
        for task in asked.good { #expect(try await task.value.get().reservation != nil) }
        #expect(try await ledger.balance.held == .credits(42 * 100))
    }

    @Test func `lose nobody who is cancelled while they are under way`() async throws {
        let ledger = try await Ledger.sample()
        let asked = try await whileLocked { _, untilBlocked in
            let first = self.ask(ledger, 0..<1)
            await untilBlocked()
            let second = self.ask(ledger, 1..<9)
            await wait { ledger.groupsUnderWay >= 2 }
            let asked = first + second + self.ask(ledger, 9..<30)
            await wait { ledger.waitingCount >= 21 }
            for task in asked { task.cancel() }
            return asked
        }
        for (name, task) in asked.enumerated() {
            switch await task.value {
            case .success(let outcome): #expect(name < 9 && outcome.reservation != nil)
            case .failure(let error): #expect(name >= 9 && error == .cancelled)
            }
        }
        #expect(try await ledger.balance.held == .credits(42 * 9))
    }

    @Test func `that lose a race are written again, and the one behind goes on`() async throws {
        // The group looks for a deadlock after five seconds, and the owner of the row not at all.
        let pool = TestDatabase.current.pool(
            PostgresConfiguration(
                url: TestDatabase.current.url, role: "usage_service", settings: ["deadlock_timeout": "5s"]))
        let ledger = Ledger(wallet: try await Ledger.sample().wallet, pool: pool)
        let asked = try await whileLocked { owner, untilBlocked in
            _ = try? await owner.execute("SET LOCAL deadlock_timeout = '5min'")
            let first = self.ask(ledger, 0..<1)
            await untilBlocked()
            let second = self.ask(ledger, 1..<9)
            await wait { ledger.groupsUnderWay >= 2 }
            _ = try? await owner.execute("LOCK TABLE wallet_balance IN ACCESS EXCLUSIVE MODE")
            return first + second
        }
        for task in asked { #expect(try await task.value.get().reservation != nil) }
        #expect(try await ledger.balance.held == .credits(42 * 9))
        let last = try await TestDatabase.current.texts(
            "SELECT client_request_id FROM reservation ORDER BY entry_number DESC LIMIT 1")
        #expect(last == ["0"], "the first lost, and was written behind the others")
    }

    @Test(arguments: [1, 200])
    func `whose statements the server no longer has are written again`(callers: Int) async throws {
        let pool = TestDatabase.current.pool(
            PostgresConfiguration(url: TestDatabase.current.url, role: "usage_service", maximumConnections: 1))
        let ledger = Ledger(wallet: try await Ledger.sample().wallet, pool: pool)
        _ = try await ledger.reserve(.sample(named: "before"))
        try await pool.execute("DEALLOCATE ALL")
        for task in ask(ledger, 0..<callers) { #expect(try await task.value.get().reservation != nil) }
        #expect(try await ledger.balance.held == .credits(42 * Int64(callers + 1)))
    }

    @Test func `wake a worker also when they are written again`() async throws {
        let pool = TestDatabase.current.pool(
            PostgresConfiguration(url: TestDatabase.current.url, role: "usage_service", maximumConnections: 1))
        let ledger = Ledger(wallet: try await Ledger.sample().wallet, pool: pool)
        _ = try await ledger.reserve(.sample(named: "before"))
        // The connection is back once the worker was woken for that one.
        try await pool.execute("DEALLOCATE ALL")
        let news = try await TestDatabase.current.pool(maximumConnections: 1).withConnection {
            (connection) throws(PostgresError) in
            try await connection.listen(to: "usage_work")
            _ = try? await ledger.reserve(.sample(named: "after"))
            return try await connection.notifications(waitingUpTo: .seconds(30))
        }
        #expect(news.count == 1)
    }

    @Test func `with an answer that cannot be read answer all others`() async throws {
        let ledger = try await Ledger.sample()
        // Its name is known, and its reservation is gone with an old month.
        _ = try await ledger.reserve(.sample(named: "old"))
        let owner = TestDatabase.current.pool(maximumConnections: 1)
        let asked = try await whileLocked { _, untilBlocked in
            let first = self.ask(ledger, 0..<1)
            await untilBlocked()
            _ = try? await owner.execute("DELETE FROM reservation WHERE client_request_id = 'old'")
            let old = Task { () async -> LedgerError? in
                do throws(LedgerError) { _ = try await ledger.reserve(.sample(named: "old")) } catch { return error }
                return nil
            }
            let others = self.ask(ledger, 1..<8)
            await wait { ledger.groupsUnderWay >= 2 }
            return (good: first + others, old: old)
        }
        #expect("\(try #require(await asked.old.value))".contains("not in the books any more"))
        for task in asked.good { #expect(try await task.value.get().reservation != nil) }
        #expect(try await ledger.balance.held == .credits(42 * 9))
    }

    @Test func `let no more wait behind them once their requests fill the queue`() async throws {
        let ledger = try await Ledger.sample()
        let body = String(repeating: "x", count: 1024 * 1024)
        let (first, second, others) = try await whileLocked { _, untilBlocked in
            let first = self.ask(ledger, 0..<1)
            await untilBlocked()
            let second = self.ask(ledger, 1..<9, body: body)
            await wait { ledger.groupsUnderWay == 2 }
            let others = self.ask(ledger, 9..<300, body: body)
            // These find the queue full, and are told so at once.
            for task in others[256...] { #expect(await task.value == .failure(.overloaded)) }
            #expect(ledger.waitingCount == 256)
            for task in others { task.cancel() }
            return (first, second, others)
        }
        for task in first + second { #expect(try await task.value.get().reservation != nil) }
        for task in others[..<256] { #expect(await task.value == .failure(.cancelled)) }
    }

    @Test func `of one wallet do not wait for another's`() async throws {
        let first = try await Ledger.sample()
        try await Wallet.create("second", timeZone: "UTC", apiKeyVariable: "SECOND_KEY", at: .sample, in: first.pool)
        // Through one pool, as in one process.
        let second = Ledger(wallet: try await .named("second", in: first.pool), pool: first.pool)
        try await second.createProject("alpha", month: .credits(1_000_000), at: .sample)
        try await second.read(1_000_000)
        let waiting = try await TestDatabase.current.pool(maximumConnections: 1).withConnection {
            (owner) throws(PostgresError) in
            try await owner.execute("BEGIN")
            try await owner.execute("SELECT FROM wallet_balance WHERE wallet_id = $1 FOR UPDATE", first.wallet.id)
            let waiting = self.ask(first, 0..<1)
            await wait { first.groupsUnderWay == 1 }
            for task in self.ask(second, 0..<200) {
                let outcome = await task.value
                #expect(throws: Never.self) { try outcome.get() }
            }
            #expect(first.groupsUnderWay == 1, "the first still waits for its row")
            try await owner.execute("COMMIT")
            return waiting
        }
        #expect(try await waiting[0].value.get().reservation != nil)
        #expect(try await second.balance.held == .credits(42 * 200))
    }

    @Test func `are one for a caller alone`() async throws {
        let ledger = try await Ledger.sample()
        for name in 0..<3 { _ = try await ledger.reserve(.sample(named: "\(name)")) }
        #expect(try await groupCount() == 3)
        #expect(ledger.groupsUnderWay == 0)
    }

    @Test func `are told when a statement's time is over, and the one behind goes on`() async throws {
        let pool = TestDatabase.current.pool(
            PostgresConfiguration(
                url: TestDatabase.current.url, role: "usage_service", statementTimeout: .seconds(5)))
        let ledger = Ledger(wallet: try await Ledger.sample().wallet, pool: pool)
        let asked = try await whileLocked { owner, untilBlocked in
            let first = self.ask(ledger, 0..<1)
            await untilBlocked()
            let others = self.ask(ledger, 1..<9)
            let told = await first[0].value
            _ = try? await owner.execute("COMMIT")
            return (first: told, others: others)
        }
        #expect(throws: LedgerError.self) { try asked.first.get() }
        for task in asked.others {
            // They may have been turned away with the first, as the server did not answer, but never half of them.
            if case .failure(let error) = await task.value { #expect(error.isTransient && !error.outcomeIsUnknown) }
        }
        let held = try await ledger.balance.held
        #expect([0, 42 * 8].map(Credits.credits).contains(held))
    }

    /// In how many transactions the reservations were made.
    private func groupCount() async throws -> Int64 {
        try await TestDatabase.current.number("SELECT count(DISTINCT xmin::text) FROM reservation")
    }
}
