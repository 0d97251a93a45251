import Synchronization

/// How callers were answered.
final class ReservedCount: Sendable {
    let reserved = Atomic(0)
    let refused = Atomic(0)
}
