import Foundation

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// One connection through a relay.
struct RelayLink {
    enum Direction: String {
        /// From the program to the side.
        case up
        /// Back.
        case down
    }

    /// What is on its way in one direction.
    private struct Flow {
        var bytes: [UInt8] = []
        var heldUntil: ContinuousClock.Instant?
        /// Bytes that may still pass before the connection is cut.
        var untilCut: Int?
        var hasEnded = false
        var isShut = false
    }

    let client: Int32
    let server: Int32
    /// What the connection is about, as far as that can be told: the task of its last request.
    private(set) var subject: String
    private(set) var isOver = false
    private let relay: Relay
    private var random: Random
    private var up = Flow()
    private var down = Flow()
    private var answers = AnswerAssembler()
    /// A second copy of an answer, which comes when the next one is expected.
    private var late: [UInt8] = []
    private static let maximumWaitingBytes = 1 << 20

    init(_ relay: Relay, number: Int, client: Int32, server: Int32) {
        self.relay = relay
        self.client = client
        self.server = server
        subject = "\(relay.side.rawValue) connection \(number)"
        random = Random(
            seed: relay.seed, relay.side == .provider ? .providerConnection : .databaseConnection, number)
    }

    private subscript(_ direction: Direction) -> Flow {
        get { direction == .up ? up : down }
        set { if direction == .up { up = newValue } else { down = newValue } }
    }

    /// Draws whether, where and in which direction the connection is cut.
    mutating func drawCut(_ weather: RelayWeather) {
        let isCut = random.chance(weather.cut)
        let direction: Direction = random.chance(0.5) ? .up : .down
        let byte = random.byte(upTo: relay.side == .provider ? 2_000 : 20_000)
        if isCut { self[direction].untilCut = byte }
    }

    mutating func drawCut(within bytes: Int) {
        self[random.chance(0.5) ? .up : .down].untilCut = random.int(0...bytes)
    }

    // MARK: Reading

    func reads(_ direction: Direction) -> Bool {
        let flow = self[direction]
        return !isOver && !flow.hasEnded && flow.bytes.count < Self.maximumWaitingBytes
    }

    /// What to wait for on the end where a direction begins, which is where the other ends.
    func events(_ direction: Direction, _ now: ContinuousClock.Instant) -> Int16 {
        let back = self[direction == .up ? .down : .up]
        let mayWrite = !back.bytes.isEmpty && (back.heldUntil.map { $0 <= now } ?? true)
        return Int16((reads(direction) ? POLLIN : 0) | (mayWrite ? POLLOUT : 0))
    }

    /// One end says no more.
    mutating func end(_ direction: Direction) {
        self[direction].hasEnded = true
        if direction == .down, relay.side == .provider { down.bytes += answers.rest() }
    }

    /// The end where a direction begins has gone for good.
    mutating func lose(_ direction: Direction) {
        guard self[direction].hasEnded else { return }
        write(at: .now)
        isOver = true
    }

    /// Takes a piece, and does to it what the weather says.
    mutating func pass(_ piece: ArraySlice<UInt8>, _ direction: Direction, _ weather: RelayWeather) {
        if let left = self[direction].untilCut {
            if left < piece.count {
                relay.count("cut \(direction.rawValue)", on: self)
                self[direction].bytes += piece.prefix(left)
                cut()
                return
            }
            self[direction].untilCut = left - piece.count
        }
        guard relay.side == .provider else {
            self[direction].bytes += piece
            delay(direction, weather)
            return
        }
        if direction == .up {
            note(piece)
            up.bytes += piece
            delay(.up, weather)
            return
        }
        answers.add(piece)
        while let answer = answers.next() { passAnswer(answer, weather) }
    }

    private mutating func passAnswer(_ answer: [UInt8], _ weather: RelayWeather) {
        if !late.isEmpty {
            relay.count("answer came again for the next request", on: self)
            down.bytes += late
            late = []
        }
        let (isGarbage, isDouble) = (random.chance(weather.garbage), random.chance(weather.duplicate))
        if isGarbage {
            relay.count("answer replaced by garbage", on: self)
            down.bytes += random.garbage()
        } else {
            down.bytes += answer
            if isDouble, random.chance(0.5) {
                relay.count("answer doubled", on: self)
                down.bytes += answer
            } else if isDouble {
                late = answer
            }
        }
        delay(.down, weather)
    }

    private mutating func delay(_ direction: Direction, _ weather: RelayWeather) {
        let (isHeld, isLate) = (random.chance(weather.hold), random.chance(weather.delay))
        guard isHeld || isLate else { return }
        relay.count(isHeld ? "held back" : "delayed", on: self)
        let seconds = isHeld ? random.double(1...4) : random.double(0.005...0.3)
        self[direction].heldUntil = .now + .seconds(seconds)
    }

    /// Remembers which task a request is about, for the history of a failure.
    private mutating func note(_ piece: ArraySlice<UInt8>) {
        let head = String(decoding: piece.prefix(1000), as: UTF8.self)
        if let key = head.split(separator: "\r\n").first(where: { $0.lowercased().hasPrefix("idempotency-key:") }) {
            subject = key.dropFirst(16).filter { $0 != " " }
        } else if head.hasPrefix("GET /api/v1/generations/") {
            subject = String(head.dropFirst(24).prefix { $0 != " " })
        } else if head.hasPrefix("GET ") || head.hasPrefix("POST ") {
            subject = String(head.prefix { $0 != "\r" })
        }
    }

    // MARK: Writing

    mutating func write(at now: ContinuousClock.Instant) {
        write(.up, to: server, now)
        write(.down, to: client, now)
        if up.isShut, down.isShut { isOver = true }
    }

    private mutating func write(_ direction: Direction, to descriptor: Int32, _ now: ContinuousClock.Instant) {
        guard !isOver, self[direction].heldUntil.map({ $0 <= now }) ?? true else { return }
        self[direction].heldUntil = nil
        while !self[direction].bytes.isEmpty {
            let count = self[direction].bytes.withUnsafeBytes { send(descriptor, $0.baseAddress, $0.count, noSignal) }
            if count < 0, errno == EAGAIN || errno == EINTR { return }
            guard count > 0 else {
                isOver = true
                return
            }
            self[direction].bytes.removeFirst(count)
        }
        guard self[direction].hasEnded, !self[direction].isShut else { return }
        self[direction].isShut = true
        _ = shutdown(descriptor, Int32(SHUT_WR))
    }

    #if os(Linux)
        private let noSignal = Int32(MSG_NOSIGNAL)
    #else
        private let noSignal: Int32 = 0
    #endif

    /// Sends what may still pass, and cuts both ends.
    private mutating func cut() {
        up.heldUntil = nil
        down.heldUntil = nil
        write(at: .now)
        if random.chance(0.5) {
            // Without a farewell: the other end sees a reset.
            var linger = linger(l_onoff: 1, l_linger: 0)
            for descriptor in [client, server] {
                setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout.size(ofValue: linger)))
            }
        }
        isOver = true
    }

    func close() {
        closeDescriptor(client)
        closeDescriptor(server)
    }
}
