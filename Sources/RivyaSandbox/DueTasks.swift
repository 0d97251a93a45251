#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The tasks still to end, the next first: a binary heap, so that no request looks at all of them.
struct DueTasks: Sendable {
    private var heap: [(at: Date, task: Int)] = []

    mutating func insert(_ task: Int, at date: Date) {
        heap.append((date, task))
        var child = heap.count - 1
        while child > 0, heap[child].at < heap[(child - 1) / 2].at {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    /// Takes out the task that ends next, if its end is not after now.
    mutating func next(until now: Date) -> Int? {
        guard let first = heap.first, first.at <= now else { return nil }
        let last = heap.removeLast()
        guard !heap.isEmpty else { return first.task }
        heap[0] = last
        var parent = 0
        while true {
            let children = [2 * parent + 1, 2 * parent + 2].filter { $0 < heap.count }
            guard let child = children.min(by: { heap[$0].at < heap[$1].at }), heap[child].at < heap[parent].at
            else { return first.task }
            heap.swapAt(parent, child)
            parent = child
        }
    }
}
