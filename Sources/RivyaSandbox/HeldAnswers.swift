/// Holds back the answers to create requests: the task exists, its client just does not learn of it.
actor HeldAnswers {
    private(set) var isHolding = false
    private var nextID = 0
    private var held: [Int: AsyncStream<Void>.Continuation] = [:]
    private var waiters: [Int: AsyncStream<Void>.Continuation] = [:]
    private var isClosed = false

    /// How many answers wait.
    var count: Int { held.count }

    func hold() { isHolding = !isClosed }

    func release() {
        isHolding = false
        for continuation in held.values { continuation.finish() }
    }

    /// Releases what is held and holds nothing any more, so that a shutdown need not wait.
    func close() {
        isClosed = true
        release()
    }

    /// Waits while answers are held, or until the calling task is cancelled.
    func pass() async {
        guard isHolding else { return }
        let (stream, continuation) = AsyncStream<Void>.makeStream()
        nextID += 1
        let id = nextID
        held[id] = continuation
        for waiter in waiters.values { waiter.yield() }
        for await _ in stream {}
        held[id] = nil
    }

    /// Waits until so many answers are held, or until the calling task is cancelled.
    func waitForCount(_ count: Int) async {
        guard held.count < count else { return }
        let (stream, continuation) = AsyncStream<Void>.makeStream()
        nextID += 1
        let id = nextID
        waiters[id] = continuation
        for await _ in stream where held.count >= count { break }
        waiters[id] = nil
    }
}
