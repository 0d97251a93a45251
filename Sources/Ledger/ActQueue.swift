/// The acts that wait for the books, and which of them go together when.
///
/// Nothing ever waits for a group to fill. With nothing under way, whatever waits goes at once; only that those who were just
/// answered have their turn first, as they are ready to run and may ask again. With one group under way,
/// the next is sent behind it as soon as it is worth a transaction of its own; otherwise it goes when that one has been
/// answered. Where many ask, each group takes half of them, so that the server works on one half while the other half is
/// answered and asks again. A large group is of one kind, since each kind costs a statement of its own, whatever the number of its
/// acts. It knows neither the callers nor the database.
struct ActQueue<Caller: Sendable>: Sendable {
    /// One caller, and what it asks for.
    struct Waiting: Sendable {
        let number: UInt64
        let act: Act
        let caller: Caller
    }

    /// Fewer are not worth a transaction of their own while another one is under way: it costs as much as twenty acts.
    static var fewest: Int { 8 }
    /// A group of so many is not divided: a second transaction would cost as much as what it saves, which is the server's wait while
    /// they are answered and ask again. Measured with 50 callers, where both come to the same.
    static var whole: Int { 64 }

    private var waiting: [UInt64: Waiting] = [:]
    /// The numbers of those that wait, in the order in which they came, and of some that were withdrawn.
    private(set) var order: [UInt64] = []
    private var lastNumber: UInt64 = 0
    /// The sizes of the groups under way, the oldest first.
    private(set) var underWay: [Int] = []
    /// How many of those who were answered last have not asked again, as far as one can tell.
    private var expected = 0
    /// How many bytes of requests wait.
    private(set) var bytes = 0

    /// How many wait.
    var count: Int { waiting.count }

    /// Whether a group would be formed now.
    var isGroupDue: Bool {
        switch underWay.count {
        case 0: count > 0 && expected == 0
        case 1: count >= Self.fewest && (expected == 0 || count >= half)
        default: false
        }
    }

    /// Half of all who ask: those who wait, are being written, or were just answered.
    private var half: Int { (underWay.reduce(count + expected, +) + 1) / 2 }

    /// A number for the next caller.
    mutating func makeNumber() -> UInt64 {
        lastNumber += 1
        return lastNumber
    }

    /// Adds a caller at the end.
    mutating func append(_ entry: Waiting) {
        waiting[entry.number] = entry
        order.append(entry.number)
        bytes += entry.act.bodyBytes
        expected = max(0, expected - 1)
    }

    /// Takes out one caller, unless it is being written.
    mutating func remove(_ number: UInt64) -> Waiting? {
        guard let removed = waiting.removeValue(forKey: number) else { return nil }
        bytes -= removed.act.bodyBytes
        // Once half of the line has left, the rest moves up: else it would grow while callers come and give up.
        if order.count > 2 * waiting.count + 64 { order.removeAll { waiting[$0] == nil } }
        return removed
    }

    /// Takes out all who wait.
    mutating func removeAll() -> [Waiting] {
        defer { (waiting, order, bytes) = ([:], [], 0) }
        return Array(waiting.values)
    }

    /// Takes the group that is due, if one is; it is under way until ``noteAnswered()``.
    mutating func takeGroup() -> [Waiting]? {
        guard isGroupDue else { return nil }
        let most = min(max(half, Self.whole), Ledger.groupLimit)
        let kind = kindOfNextGroup
        var groupBytes = 0
        var group: [Waiting] = []
        var rest: [UInt64] = []
        for (place, number) in order.enumerated() {
            guard group.count < most, groupBytes < Ledger.groupByteLimit else {
                rest += order[place...]
                break
            }
            guard let entry = waiting[number] else { continue }
            guard kind == nil || kind == entry.act.kind else {
                rest.append(number)
                continue
            }
            waiting[number] = nil
            group.append(entry)
            groupBytes += entry.act.bodyBytes
        }
        order = rest
        bytes -= groupBytes
        underWay.append(group.count)
        return group
    }

    /// The kind of who has waited longest, where enough are of it; nil where all kinds go together.
    private var kindOfNextGroup: Act.Kind? {
        var oldest: Act.Kind?
        var count = 0
        for number in order {
            guard let kind = waiting[number]?.act.kind else { continue }
            if oldest == nil { oldest = kind }
            if kind == oldest { count += 1 }
            if count == Self.fewest { return oldest }
        }
        return nil
    }

    /// Those who were answered last have had their turn to ask again.
    mutating func stopExpecting() {
        expected = 0
    }

    /// The oldest group under way has been answered.
    mutating func noteAnswered() {
        expected = underWay.removeFirst()
    }
}
