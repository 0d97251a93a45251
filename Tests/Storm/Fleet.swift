import Foundation
import Synchronization

/// The workers: real `usage worker` processes, each started again when it has ended.
final class Fleet: Sendable {
    private struct State {
        var children: [Int: Child] = [:]
        var isStopping = false
    }

    private let world: World
    private let state = Mutex(State())

    init(world: World) { self.world = world }

    /// Keeps one worker running until ``stop()``.
    func keep(_ number: Int) async {
        let wallet = world.plan.workers[number]
        let log = "\(world.folder)/worker-\(number).log"
        var starts = 0
        while !state.withLock({ $0.isStopping }) {
            let skew = world.plan.skew(ofWorker: number, start: starts)
            starts += 1
            guard
                let child = try? world.start(
                    ["worker", "--wallet", wallet.slug] + World.workerArguments, errors: log, clockAhead: skew)
            else { return }
            state.withLock { $0.children[number] = child }
            let end = await child.end()
            state.withLock { $0.children[number] = nil }
            if case .exited(let status) = end, !state.withLock({ $0.isStopping }) {
                let last = World.text(of: log).split(separator: "\n").last.map(String.init) ?? ""
                world.tally.count(.notes, "a worker ended with \(status): \(last.prefix(160))".withoutIDs)
            }
            try? await Task.sleep(for: .milliseconds(200))
        }
    }

    /// Kills a worker; nothing where it is not running.
    func kill(_ number: Int) {
        guard let child = state.withLock({ $0.children[number] }) else { return }
        child.send(SIGKILL)
        world.tally.count(.kills, "worker", about: world.plan.workers[number].slug)
    }

    /// Lets workers stand still for a while.
    func freeze(_ numbers: [Int], for seconds: Double) async {
        let frozen = numbers.compactMap { number in state.withLock { $0.children[number] } }
        for child in frozen {
            child.send(SIGSTOP)
            world.tally.count(.faults, "worker frozen")
        }
        try? await Task.sleep(for: .seconds(seconds))
        for child in frozen { child.send(SIGCONT) }
    }

    /// Asks all workers to stop and starts no more; those that have not stopped within a minute are killed.
    func stop() async {
        state.withLock { $0.isStopping = true }
        var told: Set<pid_t> = []
        let deadline = ContinuousClock.now + .seconds(60)
        while !running.isEmpty, ContinuousClock.now < deadline {
            // One may have been about to start.
            for child in running where told.insert(child.processID).inserted { child.send(SIGTERM) }
            try? await Task.sleep(for: .milliseconds(50))
        }
        for child in running {
            world.tally.count(.notes, "a worker did not stop within a minute")
            child.send(SIGKILL)
        }
    }

    private var running: [Child] { state.withLock { Array($0.children.values) } }
}

extension Plan {
    /// How far ahead the clock of a worker's process is, in seconds.
    func skew(ofWorker number: Int, start: Int) -> Double {
        guard isSkewed else { return 0 }
        var random = Random(seed: seed, .world, 1 + number, start)
        return random.double(-7200...7200)
    }

    /// The same for a caller's.
    func skew(ofSubmission number: Int) -> Double {
        guard isSkewed else { return 0 }
        var random = Random(seed: seed, .submission, number, 2)
        return random.double(-7200...7200)
    }
}
