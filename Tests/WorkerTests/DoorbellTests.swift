import Testing

@testable import Worker

@Suite(.timeLimit(.minutes(10))) struct `A doorbell` {
    private let bell = Doorbell()

    @Test func `wakes who waits`() async {
        async let rang = bell.wait(atMost: .seconds(3600))
        bell.ring()
        #expect(await rang)
    }

    @Test func `keeps a ring for who comes later`() async {
        bell.ring()
        #expect(await bell.wait(atMost: .seconds(3600)))
    }

    @Test func `keeps many rings as one`() async {
        for _ in 0..<5 { bell.ring() }
        #expect(await bell.wait(atMost: .seconds(3600)))
        #expect(await !bell.wait(atMost: .milliseconds(1)))
    }

    @Test func `lets go when the time is over`() async {
        #expect(await !bell.wait(atMost: .milliseconds(1)))
        bell.ring()
        #expect(await bell.wait(atMost: .seconds(3600)), "who went away took no ring along")
    }

    @Test func `lets go when who waits is cancelled`() async {
        await withTaskGroup(of: Bool.self) { group in
            group.addTask { await bell.wait(atMost: .seconds(3600)) }
            group.cancelAll()
            #expect(await group.next() == false)
        }
    }

    @Test func `loses no ring, whenever it comes`() async {
        // Each wait ends with a ring or without; rung once for each, no more may be missing than the one in hand.
        for _ in 0..<500 {
            async let rang = bell.wait(atMost: .microseconds(50))
            bell.ring()
            let first = await rang
            if !first { #expect(await bell.wait(atMost: .seconds(3600))) }
        }
    }
}
