import Foundation
import Synchronization

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Stands between the programs and one side, passes on what they say to each other, and does harm to it as it is told.
///
/// What happens to the n-th connection follows from the seed, the number and the weather at that moment.
final class Relay: Sendable {
    /// What a relay is told from outside its thread.
    struct Orders: Sendable {
        var weather = RelayWeather()
        var isRefusing = false
        /// Goes up when all connections are to be cut, within so many further bytes.
        var cuts = 0
        var cutWithinBytes = 0
        var isStopped = false
    }

    let side: Event.Side
    /// Where to connect instead of to the side itself.
    let place: Place
    let seed: UInt64
    let tally: Tally
    private let target: Place
    private let orders = Mutex(Orders())

    /// Listens, and passes on to a target.
    init(_ side: Event.Side, at place: Place, to target: Place, seed: UInt64, tally: Tally) throws {
        self.side = side
        self.target = target
        self.seed = seed
        self.tally = tally
        let (listener, bound) = try place.listen()
        self.place = bound
        Thread.detachNewThread { [self] in
            var loop = RelayLoop(relay: self, listener: listener)
            while !current.isStopped { loop.turn(current) }
            loop.close()
        }
    }

    /// The orders in force.
    var current: Orders { orders.withLock { $0 } }

    /// Gives orders.
    func order(_ change: @Sendable (inout Orders) -> Void) { orders.withLock { change(&$0) } }

    /// Passes everything on as it comes, from now on.
    func calm() {
        order {
            $0.weather = RelayWeather()
            $0.isRefusing = false
        }
    }

    func stop() { order { $0.isStopped = true } }

    /// A connection to the side itself; below zero where it does not answer.
    func connect() -> Int32 { target.connect() }

    func count(_ fault: String, on link: RelayLink) {
        tally.count(.faults, "\(side.rawValue): \(fault)", about: link.subject)
    }
}

/// An address on this machine.
enum Place: Sendable {
    case unix(path: String)
    case port(Int)

    struct ListenError: Error {}

    /// Listens there.
    ///
    /// - Returns: The descriptor, and the place with the port that was chosen.
    func listen() throws -> (Int32, Place) {
        let descriptor = open(with: bind)
        guard descriptor >= 0, Self.listenTo(descriptor) == 0 else { throw ListenError() }
        guard case .port = self else { return (descriptor, self) }
        var address = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let found = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
        }
        guard found == 0 else { throw ListenError() }
        return (descriptor, .port(Int(UInt16(bigEndian: address.sin_port))))
    }

    private static func listenTo(_ descriptor: Int32) -> Int32 {
        #if canImport(Glibc)
            Glibc.listen(descriptor, 512)
        #else
            Darwin.listen(descriptor, 512)
        #endif
    }

    /// Connects; below zero where nobody answers.
    func connect() -> Int32 {
        #if canImport(Glibc)
            open(with: Glibc.connect)
        #else
            open(with: Darwin.connect)
        #endif
    }

    private func open(with attach: (Int32, UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
        #if canImport(Glibc)
            let stream = Int32(SOCK_STREAM.rawValue)
        #else
            let stream = SOCK_STREAM
        #endif
        let descriptor: Int32
        let attached: Int32
        switch self {
        case .unix(let path):
            descriptor = socket(AF_UNIX, stream, 0)
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix($0.count - 1)) }
            attached = withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    attach(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
                }
            }
        case .port(let port):
            descriptor = socket(AF_INET, stream, 0)
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = UInt16(port).bigEndian
            address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
            attached = withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    attach(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
        }
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
        guard attached == 0 else {
            close(descriptor)
            return -1
        }
        return descriptor
    }
}
