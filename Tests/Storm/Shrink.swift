import Foundation

/// Looks for a shorter list of events that still shows a difference, by storms that leave out ever smaller parts of it.
///
/// Processes race, so a storm without the cause may pass by luck and one with it too: the list is short, not the shortest.
struct Shrink: Sendable {
    let program: String
    /// The options of the storm that showed the difference, without its events.
    let options: [String]
    let left: Set<Int>
    /// How long one storm may take.
    let stormSeconds: Double
    let deadline: ContinuousClock.Instant

    /// Leaves out events for as long as there is time.
    ///
    /// - Parameter events: Numbers of the events that can be left out.
    /// - Returns: All that were left out in the last storm that showed a difference.
    func run(_ events: [Int]) async throws -> Set<Int> {
        var (kept, left) = (events, left)
        var size = max(1, kept.count / 2)
        while !kept.isEmpty, ContinuousClock.now < deadline {
            var place = 0
            while place < kept.count, ContinuousClock.now < deadline {
                let part = kept[place..<min(place + size, kept.count)]
                if try await shows(left.union(part)) {
                    left.formUnion(part)
                    kept.removeSubrange(part.indices)
                } else {
                    place += size
                }
                Report.note("storm: \(kept.count) events are left that may matter")
            }
            guard size > 1 else { break }
            size /= 2
        }
        return left
    }

    private func shows(_ left: Set<Int>) async throws -> Bool {
        let output = FileManager.default.temporaryDirectory.appending(path: "usage-storm-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: output) }
        let numbers = left.sorted().map(String.init).joined(separator: ",")
        let child = try Child(
            program, options + ["--without", numbers], environment: ProcessInfo.processInfo.environment, output: output,
            group: 0)
        guard await child.end(within: stormSeconds + 400) == .exited(1) else { return false }
        return World.text(of: output).split(separator: "\n").last?.hasPrefix("differences: ") == true
    }
}
