/// What each project of a month adds up to, as `usage report` has it: what any other way to sum it up must find.
struct MonthTotals: Sendable {
    /// The report's columns that tasks alone make.
    private static let columns = [
        "project", "tasks", "succeeded", "failed", "reserved_credits", "charged_credits", "released_credits",
        "held_credits",
    ]
    private let lines: [Substring]

    /// Reads a report's CSV; projects without a task are left out.
    init(report: String) throws {
        let table = report.split(separator: "\n").map { $0.split(separator: ",", omittingEmptySubsequences: false) }
        let places = Self.columns.compactMap { table.first?.firstIndex(of: Substring($0)) }
        guard places.count == Self.columns.count else { throw Mistake("The report's CSV lacks one of its columns.") }
        lines = table.dropFirst().map { row in places.map { row[$0] } }.filter { $0[1] != "0" }
            .map { Substring($0.joined(separator: ",")) }
        guard !lines.isEmpty else { throw Mistake("The report has no tasks.") }
    }

    /// Makes sure that somebody else found the same.
    func check(_ others: [Substring], of name: String) throws {
        guard others != lines else { return }
        let place = zip(others, lines).prefix { $0 == $1 }.count
        let (found, expected) = (others.dropFirst(place).first ?? "nothing", lines.dropFirst(place).first ?? "nothing")
        throw Mistake("\(name) finds \(found) where the report says \(expected).")
    }
}
