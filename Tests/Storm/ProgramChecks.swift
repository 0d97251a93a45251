import Foundation

/// What the programs themselves say about our books in the end: `usage verify` and the reports.
struct ProgramChecks: Sendable {
    let world: World

    private struct Verdict: Decodable {
        struct Row: Decodable {
            let rule: String
            let wallet: String
            let subject: String
            let found: String
            let expected: String
        }

        let ok: Bool
        let differences: [Row]
    }

    /// Every difference that `usage verify` finds.
    func verify() async throws -> [Difference] {
        let outcome = try await world.run(["verify", "--format", "json"], within: 300)
        guard let verdict = try? JSONDecoder().decode(Verdict.self, from: Data(outcome.output.utf8)),
            outcome.end == .exited(verdict.ok ? 0 : 1)
        else {
            return [
                Difference(
                    "usage verify", wallet: "", task: nil, subject: "", found: "\(outcome.end), \(outcome.errors)",
                    expected: "a verdict")
            ]
        }
        return verdict.differences.map { row in
            Difference(
                "usage verify, \(row.rule)", wallet: row.wallet, task: nil, subject: row.subject, found: row.found,
                expected: row.expected)
        }
    }

    private struct Report: Decodable {
        struct Total: Decodable {
            let tasks: Int
            let refused: Int
            let chargedCredits: Int
            let heldCredits: Int
        }

        let total: Total
    }

    /// Holds the report of every month that has entries against the entries themselves.
    func compareReports(with books: OurBooks, refusedByMonth: [String: Int]) async throws -> [Difference] {
        var differences: [Difference] = []
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        for (wallet, tasks) in Dictionary(grouping: books.tasks, by: \.wallet).sorted(by: { $0.key < $1.key }) {
            for (month, tasks) in Dictionary(grouping: tasks, by: { String($0.day.prefix(7)) }).sorted(by: {
                $0.key < $1.key
            }) {
                let outcome = try await world.run(
                    ["report", "--wallet", wallet, "--month", month, "--format", "json"])
                let total = try? decoder.decode(Report.self, from: Data(outcome.output.utf8)).total
                let found = total.map {
                    "\($0.tasks) tasks, \($0.chargedCredits) charged, \($0.heldCredits) held, \($0.refused) refused"
                }
                let charged = tasks.reduce(0) { $0 + $1.charged }
                let refused = refusedByMonth["\(wallet) \(month)"] ?? 0
                let expected = "\(tasks.count) tasks, \(charged) charged, 0 held, \(refused) refused"
                guard found != expected else { continue }
                differences.append(
                    Difference(
                        "the report adds up", wallet: wallet, task: nil, subject: month,
                        found: found ?? "\(outcome.end), \(outcome.errors)", expected: expected))
            }
        }
        return differences
    }
}
