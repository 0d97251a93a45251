import Testing

@testable import Ledger

@Suite struct `Acts that wait` {
    private typealias Queue = ActQueue<Int>

    /// A queue in which so many wait, numbered from 1.
    private func queue(of count: Int, bodyBytes: Int = 2) -> Queue {
        var queue = Queue()
        queue.add(count, bodyBytes: bodyBytes)
        return queue
    }

    @Test func `go at once when nothing is under way, however few`() {
        var queue = queue(of: 1)
        #expect(queue.takeGroup()?.map(\.caller) == [1])
        #expect(queue.takeGroup() == nil)
    }

    @Test func `go together while a second group would be small`() {
        var queue = queue(of: 64)
        #expect(queue.takeGroup()?.count == 64)
    }

    @Test func `stay behind a group under way while they are few`() {
        var queue = queue(of: 1)
        _ = queue.takeGroup()
        queue.add(7)
        #expect(queue.takeGroup() == nil)
        queue.add(1)
        #expect(queue.takeGroup()?.count == 8)
    }

    @Test func `go in two halves, in the order in which they came`() {
        var queue = queue(of: 200)
        #expect(queue.takeGroup()?.map(\.caller) == Array(1...100))
        #expect(queue.takeGroup()?.map(\.caller) == Array(101...200))
        #expect(queue.takeGroup() == nil)
    }

    @Test func `wait for half of all who ask again, and then go behind the other half`() {
        var queue = queue(of: 200)
        _ = (queue.takeGroup(), queue.takeGroup())
        queue.noteAnswered()
        queue.add(99)
        #expect(!queue.isGroupDue)
        queue.add(1)
        #expect(queue.takeGroup()?.count == 100)
    }

    @Test func `wait for no more than were answered`() {
        var queue = queue(of: 1)
        _ = queue.takeGroup()
        queue.add(160)
        #expect(queue.takeGroup()?.count == 81)
        queue.noteAnswered()
        #expect(queue.takeGroup() == nil)
        queue.add(1)
        #expect(queue.takeGroup()?.count == 80)
        queue.noteAnswered()
        // Of the 81 some may never ask again; those who do go when the others are answered.
        queue.add(5)
        #expect(queue.takeGroup() == nil)
        queue.noteAnswered()
        #expect(queue.takeGroup() == nil)
        queue.stopExpecting()
        #expect(queue.takeGroup()?.count == 5)
    }

    @Test func `come to two even halves, however unevenly they begin`() {
        var queue = queue(of: 3)
        var underWay = [queue.takeGroup()?.count ?? 0]
        queue.add(197)
        if let second = queue.takeGroup() { underWay.append(second.count) }
        for _ in 0..<20 {
            let answered = underWay.removeFirst()
            queue.noteAnswered()
            // They come back one by one.
            for _ in 0..<answered {
                queue.add(1)
                if let next = queue.takeGroup() { underWay.append(next.count) }
            }
        }
        #expect(underWay == [100, 100])
    }

    @Test func `go a thousand at once, and no more bytes than a transaction may have`() {
        var many = queue(of: 5_000)
        #expect(many.takeGroup()?.count == Ledger.groupLimit)
        var large = queue(of: 40, bodyBytes: 1024 * 1024)
        #expect(large.takeGroup()?.count == 8)
    }

    @Test func `go by kind where they are many, first the kind of who has waited longest`() {
        var queue = Queue()
        for turn in 1...20 {
            queue.add(1, recording: turn.isMultiple(of: 2))
        }
        queue.add(1)
        #expect(queue.takeGroup()?.map(\.caller) == [1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21])
        #expect(queue.takeGroup()?.map(\.caller) == [2, 4, 6, 8, 10, 12, 14, 16, 18, 20])
        #expect(queue.count == 0)
    }

    @Test func `go together whatever their kind while the oldest is of a kind that few are of`() {
        var queue = Queue()
        queue.add(7, recording: true)
        queue.add(30)
        #expect(queue.takeGroup()?.map(\.caller) == Array(1...37))
    }

    @Test func `take no room once they gave up`() {
        var queue = queue(of: 10, bodyBytes: 100)
        let bytes = queue.bytes
        #expect(bytes >= 1000)
        for number in 11...10_000 {
            queue.add(1, bodyBytes: 100)
            #expect(queue.remove(UInt64(number))?.caller == number)
        }
        #expect(queue.bytes == bytes)
        #expect(queue.order.count <= 2 * 10 + 65)
        #expect(queue.takeGroup()?.map(\.caller) == Array(1...10))
        #expect(queue.bytes == 0)
    }

    @Test func `that were withdrawn are not taken`() {
        var queue = queue(of: 4)
        #expect(queue.remove(2)?.caller == 2)
        #expect(queue.takeGroup()?.map(\.caller) == [1, 3, 4])
        #expect(queue.remove(3) == nil)
    }
}

extension ActQueue<Int> {
    /// Adds so many callers.
    fileprivate mutating func add(_ count: Int, bodyBytes: Int = 2, recording: Bool = false) {
        for _ in 0..<count {
            let number = makeNumber()
            let body = String(repeating: "x", count: bodyBytes - 1)
            let error = RecordedError(
                taskID: nil, act: .credits, attempt: 1, code: "timeout", httpStatus: nil, requestID: nil, message: "no",
                occurredAt: .sample)
            let act = recording ? Act.record(error) : .reserve(.sample(asking: "?", body: body))
            append(Waiting(number: number, act: act, caller: Int(number)))
        }
    }
}
