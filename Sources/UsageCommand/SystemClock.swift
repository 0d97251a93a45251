#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// What time it is.
enum SystemClock {
    #if FAILURE_POINTS
        /// How far this process's clock is from the machine's: in builds for tests `USAGE_CLOCK`, such as
        /// `2028-02-29T23:59:50Z`, says what time it is when the process starts.
        private static let offset: TimeInterval = {
            let start = Environment.value("USAGE_CLOCK").flatMap { try? Date($0, strategy: .iso8601) }
            return start?.timeIntervalSinceNow ?? 0
        }()

        /// The moment by this process's clock.
        static var now: Date { Date() + offset }
    #else
        /// The moment by the machine's clock.
        static var now: Date { Date() }
    #endif
}
