import CLibpq

/// A message sent with NOTIFY.
public struct PostgresNotification: Equatable, Sendable {
    /// The channel it was sent on.
    public let channel: String
    /// The text that came with it, empty if there was none.
    public let payload: String
    /// The server process that sent it.
    public let processID: Int

    /// Makes a notification.
    public init(channel: String, payload: String, processID: Int) {
        self.channel = channel
        self.payload = payload
        self.processID = processID
    }
}

extension Session {
    /// The notifications that have arrived so far.
    func takeNotifications() -> [PostgresNotification] {
        var arrived: [PostgresNotification] = []
        while let notification = PQnotifies(connection) {
            arrived.append(
                PostgresNotification(
                    channel: String(cString: notification.pointee.relname),
                    payload: String(cString: notification.pointee.extra),
                    processID: Int(notification.pointee.be_pid)))
            PQfreemem(notification)
        }
        return arrived
    }
}
