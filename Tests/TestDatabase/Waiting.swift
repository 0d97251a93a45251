import Postgres
import Testing

/// Those who wait for a lock in the database that is asked.
public let blocked: Statement = """
    SELECT pid FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE NOT granted AND datname = current_database()
    """

/// Waits until something is so, looking every millisecond; after three minutes it records an issue and goes on.
public func wait(
    until isSo: () async -> Bool, sourceLocation: SourceLocation = #_sourceLocation
) async {
    let deadline = ContinuousClock.now + .seconds(180)
    while await !isSo() {
        guard ContinuousClock.now < deadline else {
            Issue.record("waited in vain", sourceLocation: sourceLocation)
            return
        }
        try? await Task.sleep(for: .milliseconds(1))
    }
}
