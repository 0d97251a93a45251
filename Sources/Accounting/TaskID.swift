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

    /// Makes a new id.
    ///
    /// The 12 bits after the millisecond tell its fraction, so that ids of one millisecond sort by time as well and come
    /// to lie side by side in an index; the other 62 are random. Source: RFC 9562, sections 5.7 and 6.2, method 3.
    public static func make(at now: Date) -> TaskID {
        let time = max(0, now.timeIntervalSince1970 * 1000)
        let milliseconds = time.rounded(.down)
        let high = UInt64(milliseconds) << 16 | 0x7000 | UInt64((time - milliseconds) * 4096)
        var random = SystemRandomNumberGenerator()
        let low = 0x8000_0000_0000_0000 | random.next() & 0x3FFF_FFFF_FFFF_FFFF
        let bytes = (high.bigEndian, low.bigEndian)
        return TaskID(UUID(uuid: withUnsafeBytes(of: bytes) { $0.loadUnaligned(as: uuid_t.self) }))
    }

    /// The id in lower case, as it is sent and printed everywhere.
    public var description: String {
        withUnsafeBytes(of: uuid.uuid) { bytes in
            String(unsafeUninitializedCapacity: 36) { text in
                var place = 0
                for (index, byte) in bytes.enumerated() {
                    if index == 4 || index == 6 || index == 8 || index == 10 {
                        text[place] = UInt8(ascii: "-")
                        place += 1
                    }
                    text[place] = TaskID.digit(byte >> 4)
                    text[place + 1] = TaskID.digit(byte & 15)
                    place += 2
                }
                return place
            }
        }
    }

    private static func digit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
    }
}
