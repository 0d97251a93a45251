import Testing

@testable import RivyaClient

@Suite struct `A deadline` {
    private let deadlines = Deadlines()

    /// How a sleep without an end ended: true where it was cancelled.
    private static func sleepLong() async -> Bool {
        do { try await Task.sleep(for: .seconds(60)) } catch { return true }
        return false
    }

    @Test func `cancels what takes longer, in whatever order the limits are given`() async {
        let start = ContinuousClock.now
        await withTaskGroup(of: Void.self) { group in
            for limit in [30_000, 400, 50, 200, 400, 100] {
                group.addTask {
                    let isLong = limit == 30_000
                    let (wasCancelled, expired) = await deadlines.run(atMost: .milliseconds(limit)) {
                        // The one with the longest limit is still under way when all others are over.
                        isLong ? (try? await Task.sleep(for: .milliseconds(700))) == nil : await Self.sleepLong()
                    }
                    #expect(wasCancelled == !isLong)
                    #expect(expired == !isLong)
                    #expect(ContinuousClock.now - start >= .milliseconds(min(limit, 700)))
                }
            }
        }
        #expect(ContinuousClock.now - start < .seconds(20))
    }

    @Test func `is there again after all before it are over`() async {
        for _ in 0..<3 {
            let inTime = await deadlines.run(atMost: .seconds(20)) { 1 }
            #expect(inTime.value == 1 && !inTime.expired)
            let late = await deadlines.run(atMost: .milliseconds(20)) { await Self.sleepLong() }
            #expect(late.value && late.expired)
        }
    }

    @Test func `keeps what comes too late all the same`() async {
        let (value, expired) = await deadlines.run(atMost: .milliseconds(20)) {
            _ = await Self.sleepLong()
            return "late"
        }
        #expect(value == "late" && expired)
    }

    @Test func `is not what ended it when the caller gave up`() async {
        let caller = Task { await deadlines.run(atMost: .seconds(30)) { await Self.sleepLong() } }
        caller.cancel()
        let (wasCancelled, expired) = await caller.value
        #expect(wasCancelled && !expired)
    }
}
