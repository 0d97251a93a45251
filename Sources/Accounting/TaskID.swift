#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The id of a task: a UUID of version 7, so ids sort by the time at which they were made.
///
/// It is the Idempotency-Key of the task's create request too, so it is never used for a second piece of work.
public struct TaskID: Hashable, Sendable, CustomStringConvertible {
    /// The id as a UUID.
    public let uuid: UUID

    /// Wraps an id that exists.
    public init(_ uuid: UUID) { self.uuid = uuid }

    /// Reads an id as it is printed.
    public init?(_ text: String) {
        guard let uuid = UUID(uuidString: text) else { return nil }
        self.init(uuid)
    }

    /// Makes a new id. Source of the layout: RFC 9562, section 5.7.
    public static func make(at now: Date) -> TaskID {
        let milliseconds = UInt64(max(0, now.timeIntervalSince1970 * 1000))
        var random = SystemRandomNumberGenerator()
        let high = milliseconds << 16 | 0x7000 | UInt64.random(in: 0...0xFFF, using: &random)
        let low = 0x8000_0000_0000_0000 | UInt64.random(in: 0...0x3FFF_FFFF_FFFF_FFFF, using: &random)
        let byte = { (half: UInt64, place: UInt64) in UInt8(truncatingIfNeeded: half >> (56 - 8 * place)) }
        return TaskID(
            UUID(
                uuid: (
                    byte(high, 0), byte(high, 1), byte(high, 2), byte(high, 3), byte(high, 4), byte(high, 5),
                    byte(high, 6),
                    byte(high, 7), byte(low, 0), byte(low, 1), byte(low, 2), byte(low, 3), byte(low, 4), byte(low, 5),
                    byte(low, 6), byte(low, 7)
                )))
    }

    /// The id in lower case, as it is sent and printed everywhere.
    public var description: String { uuid.uuidString.lowercased() }
}
