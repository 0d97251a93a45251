import Dispatch
import Synchronization

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Passes on what a client and the server say to each other, and counts how often the client speaks after the server.
final class Relay: Sendable {
    let url: String
    private let folder: String
    private let listener: Int32
    private let counter = Mutex(0)

    var turns: Int { counter.withLock { $0 } }

    /// Listens in a folder of its own, and passes on to the server of a URL made by `TestDatabase`.
    init(to target: String) throws {
        let parts = target.split(separator: "host=", maxSplits: 1)
        let socketFolder = String(parts[1].prefix { $0 != "&" })
        folder = "\(FileManager.default.temporaryDirectory.path())/relay-\(UInt32.random(in: 0 ... .max))"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        url = target.replacing(socketFolder, with: folder)
        listener = Self.open("\(folder)/.s.PGSQL.5432", with: bind)
        listen(listener, 4)
        let upstream = "\(socketFolder)/.s.PGSQL.5432"
        DispatchQueue(label: "relay").async { [self] in
            while true {
                let client = accept(listener, nil, nil)
                guard client >= 0 else { return }
                pass(between: client, and: Self.open(upstream, with: connect))
            }
        }
    }

    func stop() {
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
        try? FileManager.default.removeItem(atPath: folder)
    }

    private func pass(between client: Int32, and server: Int32) {
        var serverSpokeLast = true
        var bytes = [UInt8](repeating: 0, count: 65_536)
        var ends = [client, server].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        while poll(&ends, 2, -1) >= 0 {
            for (index, end) in ends.enumerated() where end.revents != 0 {
                let count = read(end.fd, &bytes, bytes.count)
                guard count > 0 else {
                    close(client)
                    close(server)
                    return
                }
                if index == 0 && serverSpokeLast { counter.withLock { $0 += 1 } }
                serverSpokeLast = index == 1
                var sent = 0
                while sent < count {
                    sent += max(0, write(ends[1 - index].fd, Array(bytes[sent..<count]), count - sent))
                }
            }
        }
    }

    private static func open(
        _ path: String, with attach: (Int32, UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) -> Int32 {
        #if canImport(Glibc)
            let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        #else
            let descriptor = socket(AF_UNIX, SOCK_STREAM, 0)
        #endif
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let attached = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                attach(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        precondition(attached == 0, "the relay has no socket")
        return descriptor
    }
}
