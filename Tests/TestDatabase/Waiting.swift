import Testing

/// Waits until something is so, looking every millisecond; after 30 seconds it records an issue and goes on.
public func wait(
    until isSo: () async -> Bool, sourceLocation: SourceLocation = #_sourceLocation
) async {
    let deadline = ContinuousClock.now + .seconds(30)
    while await !isSo() {
        guard ContinuousClock.now < deadline else {
            Issue.record("waited in vain", sourceLocation: sourceLocation)
            return
        }
        try? await Task.sleep(for: .milliseconds(1))
    }
}
