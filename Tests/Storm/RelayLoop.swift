import Foundation

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// The thread of a relay: all its connections, and what is on its way on each.
struct RelayLoop {
    private let relay: Relay
    private let listener: Int32
    private var links: [RelayLink] = []
    private var connections = 0
    private var cutsDone = 0
    private var buffer = [UInt8](repeating: 0, count: 16_384)

    init(relay: Relay, listener: Int32) {
        self.relay = relay
        self.listener = listener
    }

    /// Waits for something to happen, at most some milliseconds, and deals with it.
    mutating func turn(_ orders: Relay.Orders) {
        if orders.cuts > cutsDone {
            cutsDone = orders.cuts
            for index in links.indices { links[index].drawCut(within: orders.cutWithinBytes) }
        }
        let now = ContinuousClock.now
        var watched = [pollfd(fd: listener, events: Int16(POLLIN), revents: 0)]
        for link in links {
            watched.append(pollfd(fd: link.client, events: link.events(.up, now), revents: 0))
            watched.append(pollfd(fd: link.server, events: link.events(.down, now), revents: 0))
        }
        guard poll(&watched, nfds_t(watched.count), 10) >= 0 else { return }
        for index in links.indices {
            read(index, .up, watched[1 + 2 * index].revents, orders)
            read(index, .down, watched[2 + 2 * index].revents, orders)
            links[index].write(at: .now)
        }
        links.removeAll { link in
            if link.isOver { link.close() }
            return link.isOver
        }
        if watched[0].revents != 0 { take(orders) }
    }

    func close() {
        for link in links { link.close() }
        _ = shutdown(listener, Int32(SHUT_RDWR))
        closeDescriptor(listener)
    }

    private mutating func take(_ orders: Relay.Orders) {
        let client = accept(listener, nil, nil)
        guard client >= 0 else { return }
        _ = fcntl(client, F_SETFD, FD_CLOEXEC)
        _ = fcntl(client, F_SETFL, O_NONBLOCK)
        connections += 1
        var link = RelayLink(
            relay, number: connections, client: client, server: orders.isRefusing ? -1 : relay.connect())
        guard link.server >= 0 else {
            if orders.isRefusing { relay.count("refused", on: link) }
            link.close()
            return
        }
        link.drawCut(orders.weather)
        links.append(link)
    }

    private mutating func read(
        _ index: Int, _ direction: RelayLink.Direction, _ events: Int16, _ orders: Relay.Orders
    ) {
        guard events & Int16(POLLIN | POLLHUP | POLLERR) != 0 else { return }
        guard links[index].reads(direction) else {
            if events & Int16(POLLHUP | POLLERR) != 0 { links[index].lose(direction) }
            return
        }
        let count = recv(direction == .up ? links[index].client : links[index].server, &buffer, buffer.count, 0)
        if count < 0, errno == EAGAIN || errno == EINTR { return }
        guard count > 0 else {
            links[index].end(direction)
            return
        }
        links[index].pass(buffer[..<count], direction, orders.weather)
    }
}

func closeDescriptor(_ descriptor: Int32) {
    guard descriptor >= 0 else { return }
    #if canImport(Glibc)
        _ = Glibc.close(descriptor)
    #else
        _ = Darwin.close(descriptor)
    #endif
}
