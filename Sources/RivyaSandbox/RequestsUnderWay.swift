import Synchronization

/// How many requests are answered at this moment, and how many were at most.
final class RequestsUnderWay: Sendable {
    private let counts = Mutex((now: 0, most: 0))

    /// The most at one moment so far.
    var most: Int { counts.withLock(\.most) }

    /// One has come in.
    func begin() {
        counts.withLock { counts in
            counts.now += 1
            counts.most = max(counts.most, counts.now)
        }
    }

    /// One has its answer.
    func end() { counts.withLock { $0.now -= 1 } }
}
