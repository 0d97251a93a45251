import Foundation
import Postgres
import RivyaSandbox
import Synchronization

/// Carries out the events of the plan.
struct Conductor: Sendable {
    let world: World
    let callers: Callers
    let fleet: Fleet
    let people: People
    let revisions: Revisions

    /// Carries out events until so much time has passed and so many kills are done.
    func run(seconds: Double, kills: Int, without left: Set<Int>) async {
        await withTaskGroup(of: Void.self) { group in
            rounds: for round in 0... {
                for event in world.plan.events(ofRound: round) where !left.contains(event.number) {
                    let isLong = event.at >= seconds && world.tally.total(of: .kills) >= kills
                    if isLong || Task.isCancelled { break rounds }
                    try? await Task.sleep(for: .seconds(event.at - world.tally.seconds))
                    group.addTask { await carryOut(event) }
                }
            }
            // What is under way ends by itself: a thaw, a release, a caller.
        }
    }

    private func carryOut(_ event: Event) async {
        if let subject = event.act.subject { world.tally.note("\(event.act)", about: subject) }
        do {
            try await carryOut(event.act)
        } catch {
            world.tally.count(.notes, "event \(event.number % EventDraw.numbersPerRound): \(error)".withoutIDs)
        }
    }

    private func carryOut(_ act: Event.Act) async throws {
        let tally = world.tally
        switch act {
        case .submissions(let count):
            await withTaskGroup(of: Void.self) { group in
                for submission in callers.next(count) { group.addTask { await callers.run(submission) } }
            }
        case .killWorker(let number): fleet.kill(number)
        case .freezeWorkers(let numbers, let seconds): await fleet.freeze(numbers, for: seconds)
        case .killPostgres(let seconds):
            tally.count(.kills, "PostgreSQL, kill -9")
            try await world.server.restart(by: SIGKILL, after: seconds)
        case .stopPostgresAtOnce(let seconds):
            tally.count(.kills, "PostgreSQL, immediate stop")
            try await world.server.restart(by: SIGQUIT, after: seconds)
        case .freezePostgres(let seconds):
            tally.count(.faults, "PostgreSQL frozen")
            try await world.server.freeze(for: seconds)
        case .cutConnections(let side, let bytes):
            relay(side).order {
                $0.cuts += 1
                $0.cutWithinBytes = bytes
            }
        case .refuseConnections(let side, let seconds):
            relay(side).order { $0.isRefusing = true }
            try await Task.sleep(for: .seconds(seconds))
            relay(side).order { $0.isRefusing = false }
        case .weather(let side, let weather, let seconds):
            relay(side).order { $0.weather = weather }
            try await Task.sleep(for: .seconds(seconds))
            relay(side).order { if $0.weather == weather { $0.weather = RelayWeather() } }
        case .budget(let wallet, let project, let month, let day):
            let limit = day.map { ["--day", "\($0)"] } ?? ["--no-day"]
            let outcome = try await world.run(
                ["budget", "set", project, "--wallet", wallet, "--month", "\(month)"] + limit, isDirect: false)
            tally.count(.acts, outcome.end == .exited(0) ? "budget changed" : "budget could not be changed")
        case .person(let wallet, let pick, let charged):
            try await people.guess(wallet: wallet, pick: pick, charged: charged)
        case .revise(let wallet, let pick, let credits):
            try await revisions.revise(wallet: wallet, pick: pick, credits: credits)
        case .jumpClock(let point, let seconds):
            world.clock.jump(to: TurningPoint.all[point].moment - seconds)
            tally.count(.faults, "clock jump")
        case .sandboxFaults, .holdCreates, .studio, .insufficientCredits: try await carryOutAtProvider(act)
        }
    }

    private func carryOutAtProvider(_ act: Event.Act) async throws {
        let (sandbox, tally) = (world.sandbox, world.tally)
        switch act {
        case .sandboxFaults(let shares, let seconds):
            try await sandbox.books.change { $0.faults.shares.merge(shares) { $1 } }
            try await Task.sleep(for: .seconds(seconds))
            try await sandbox.books.change { for fault in shares.keys { $0.faults.shares[fault] = nil } }
        case .holdCreates(let seconds):
            tally.count(.faults, "provider: create answers held back")
            await sandbox.holdCreateAnswers()
            try await Task.sleep(for: .seconds(seconds))
            await sandbox.releaseCreateAnswers()
        case .studio(let wallet, let credits):
            try await sandbox.spendInStudio(credits, account: wallet)
            tally.count(.faults, credits < 0 ? "provider: topped up" : "provider: Studio spends", about: wallet)
        case .insufficientCredits(let way):
            try await sandbox.books.change { $0.insufficientCredits = way }
            tally.count(.faults, "provider: a short wallet shows as \(way.rawValue)")
        default: preconditionFailure("\(act) does not concern the provider")
        }
    }

    private func relay(_ side: Event.Side) -> Relay { side == .provider ? world.provider : world.database }
}

/// Changes what failed tasks cost after their end, as the provider perhaps does.
final class Revisions: Sendable {
    private let world: World
    private let state = Mutex<Set<String>>([])

    init(world: World) { self.world = world }

    /// Tasks, by the provider's id, that may have been changed after our last look at them.
    var unseen: Set<String> { state.withLock { $0 } }

    /// Changes one of the failed tasks that a worker still has to look at.
    func revise(wallet: String, pick: Int, credits: Int) async throws {
        let waiting: Statement = """
            SELECT provider_task_id AS task, lease_token AS token FROM task_work JOIN wallet USING (wallet_id)
            WHERE slug = $1 AND state = 'settled' AND NOT leased AND ($2::text IS NULL OR provider_task_id = $2)
            ORDER BY 1
            """
        let rows = try await world.books.query(waiting, wallet, nil as String?)
        guard !rows.isEmpty else { return }
        let task = try rows[pick % rows.count].decode("task", as: String.self)
        let token = try rows[pick % rows.count].decode("token", as: Int64.self)
        // Unseen until it is known that no look was under way.
        state.withLock { _ = $0.insert(task) }
        try await world.sandbox.revise(task, finalCredits: credits)
        world.tally.count(.faults, "provider: a failed task's credits changed", about: task)
        let after = try await world.books.query(waiting, wallet, task)
        guard let row = after.first, try row.decode("token", as: Int64.self) == token else { return }
        state.withLock { _ = $0.remove(task) }
    }
}
