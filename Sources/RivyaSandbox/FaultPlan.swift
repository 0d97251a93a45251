/// Which faults the next request meets: those ordered for it, else those its number draws.
///
/// The n-th request to an endpoint draws the same faults in every run with the same seed and shares, and so does the
/// n-th task, whatever happens at the other endpoints in between.
struct FaultPlan: Sendable {
    private var requests: [SandboxEndpoint: UInt64] = [:]
    private var ordered: [SandboxEndpoint: [Order]] = [:]

    private struct Order: Sendable {
        let fault: Fault
        var times: Int
    }

    mutating func order(_ fault: Fault, times: Int, on endpoint: SandboxEndpoint) {
        guard times > 0 else { return }
        ordered[endpoint, default: []].append(Order(fault: fault, times: times))
    }

    /// The faults of the next request to an endpoint.
    mutating func next(_ endpoint: SandboxEndpoint, _ faults: Faults) -> [Fault] {
        let number = requests[endpoint, default: 0]
        requests[endpoint] = number + 1
        if let fault = takeOrder(endpoint) { return [fault] }
        guard !faults.shares.isEmpty else { return [] }
        var draw = SplitMix64(seed: faults.seed, stream: endpoint.stream, number: number)
        // One number per fault, hit or not, so that changing one share moves no other fault.
        return Fault.allCases.filter { draw.isHit(share: faults[$0]) && !$0.concernsTask }
    }

    /// The faults of the n-th task, besides those ordered for the request that makes it.
    static func task(number: UInt64, _ faults: Faults) -> [Fault] {
        guard !faults.shares.isEmpty else { return [] }
        var draw = SplitMix64(seed: faults.seed, stream: 101, number: number)
        return Fault.allCases.filter { draw.isHit(share: faults[$0]) && $0.concernsTask }
    }

    private mutating func takeOrder(_ endpoint: SandboxEndpoint) -> Fault? {
        guard var first = ordered[endpoint]?.first else { return nil }
        first.times -= 1
        if first.times == 0 { ordered[endpoint]?.removeFirst() } else { ordered[endpoint]?[0] = first }
        return first.fault
    }
}

extension SandboxEndpoint {
    fileprivate var stream: UInt64 {
        switch self {
        case .create: 1
        case .status: 2
        case .credits: 3
        case .upload: 4
        case .file: 5
        }
    }
}

/// A small generator whose output is the same everywhere. Source: Steele, Lea, Flood, "Fast splittable
/// pseudorandom number generators", 2014.
package struct SplitMix64: RandomNumberGenerator, Sendable {
    private var state: UInt64

    /// The generator that goes on from a state.
    package init(state: UInt64) { self.state = state }

    /// The generator for one numbered thing in one stream of them.
    package init(seed: Int, stream: UInt64, number: UInt64) {
        var generator = SplitMix64(state: UInt64(bitPattern: Int64(seed)))
        generator.state = generator.next() ^ stream
        generator.state = generator.next() ^ number
        state = generator.next()
    }

    /// The next number.
    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        return Self.mix(state)
    }

    /// Spreads a number over all 64 bits, no two alike.
    static func mix(_ number: UInt64) -> UInt64 {
        var mixed = number
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// A number in 0 ..< 1.
    package mutating func fraction() -> Double { Double(next() >> 11) * 0x1p-53 }

    /// Whether a thing that happens to this share of all happens now.
    package mutating func isHit(share: Double) -> Bool { fraction() < share }
}
