/// The one source of chance: everything that a storm draws comes from its seed, by a stream and a number in it.
///
/// Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014.
struct Random: RandomNumberGenerator, Sendable {
    /// What is drawn, so that drawing more of one thing moves nothing else.
    enum Stream: UInt64 {
        case world = 1
        case round, submission, draft, providerConnection, databaseConnection
    }

    private var state: UInt64

    init(seed: UInt64, _ stream: Stream, _ number: Int = 0, _ part: Int = 0) {
        state = seed
        for value in [stream.rawValue, UInt64(bitPattern: Int64(number)), UInt64(bitPattern: Int64(part))] {
            state = next() ^ value
        }
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// True in a share of all draws, from 0 to 1.
    mutating func chance(_ share: Double) -> Bool { Double.random(in: 0..<1, using: &self) < share }

    /// A number in a range.
    mutating func int(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &self) }

    /// A number in a range.
    mutating func double(_ range: ClosedRange<Double>) -> Double { Double.random(in: range, using: &self) }

    /// One of several.
    mutating func pick<Value>(_ values: [Value]) -> Value { values[int(0...values.count - 1)] }
}
