import Foundation
import Postgres

/// What a month's report costs, in books of some size.
struct ReportBenchmark: Measurement {
    let name: String
    let summary: String
    private let tasks: Int

    static let million = ReportBenchmark(name: "report-1m", tasks: 1_000_000)
    static let tenMillion = ReportBenchmark(name: "report-10m", tasks: 10_000_000)

    private init(name: String, tasks: Int) {
        self.name = name
        self.tasks = tasks
        summary = "a month's report from books of \(tasks) tasks over 24 months, beside psql and DuckDB"
    }

    func run(_ stage: Stage) async throws -> Report {
        let books = try await GrownBooks.make(name, tasks: tasks, months: 24, on: stage)
        let problems = try await books.database.verify()
        let duck = try await DuckDB.make(books)
        let totals = try await books.totals()
        let folder = try ScratchFolder()
        let script = try folder.write(books.reportScript(), to: "report.sql")
        let raw = try folder.write(books.rawScript, to: "raw.sql")
        var parts = [
            Stage.Part("usage report") { round in
                try await .runs(for: round.seconds, on: stage.server) {
                    try await books.usage("report", "--month", books.month)
                }
            },
            Stage.Part("psql, the same queries") { round in
                try await .runs(for: round.seconds, on: stage.server) { try await books.psql("--file", script) }
            },
            Stage.Part("the queries, in the database") { round in
                let (times, use) = try await stage.server.watch(seconds: round.seconds) {
                    try await books.databaseTimes(seconds: round.seconds)
                }
                return Sample.times(times).served(use)
            },
        ]
        if let duck {
            parts.append(
                Stage.Part("DuckDB, in its process") { try await duck.sumUp(seconds: $0.seconds, totals: totals) })
        }
        parts.append(
            Stage.Part("psql, the raw rows") { round in
                try await .runs(for: round.seconds, on: stage.server) {
                    let outcome = try await books.psql("--csv", "--tuples-only", "--file", raw)
                    try totals.check(outcome.output.split(separator: "\n"), of: "psql, from the raw rows,")
                    return outcome
                }
            })
        let series = try await stage.interleave(parts)
        try await books.database.drop()
        return report(series, books, duck, problems)
    }

    private func report(_ series: [Series], _ books: GrownBooks, _ duck: DuckDB?, _ problems: [String]) -> Report {
        var aims = [
            Aim(
                "report from \(tasks) tasks: at most 20 ms of database time", series[2].latency(0.5), "ms", atMost: 20),
            Aim(
                "report from \(tasks) tasks: wall at most 1.5 times psql of the same queries",
                .ratio(series[1], to: series[0]), atMost: 1.5),
        ]
        if series.count > 4 {
            aims.append(
                Aim(
                    "report from \(tasks) tasks: no slower in the database than DuckDB on the month's Parquet",
                    .ratio(series[2], to: series[3]), atLeast: 1))
        } else {
            aims.append(Aim("report from \(tasks) tasks: no slower than DuckDB", missing: "DuckDB"))
        }
        let figures = [
            Figure(name: "tasks in the month", value: Double(books.tasksOfMonth), unit: "tasks"),
            Figure(of: series[0], beside: series[series.count - 1]),
        ]
        return Report(
            series: series, figures: figures, aims: aims, conditions: duck.map { [$0.version] } ?? [],
            problems: problems)
    }
}

extension GrownBooks {
    /// How long the server plans and runs a report's queries, each time on a new connection as the program has it, in
    /// nanoseconds.
    fileprivate func databaseTimes(seconds: Int) async throws -> [Int64] {
        let queries = try ["charges_by_project", "unit_prices", "unattributed"].map {
            Statement("EXPLAIN (ANALYZE, TIMING OFF, SUMMARY ON) " + (try Self.query($0)), name: $0)
        }
        let period = Statement(try Self.query("set_period"))
        let values: [any PostgresEncodable] = ["main", month, Date?.none, ""]
        let end = ContinuousClock.now + .seconds(seconds)
        var times: [Int64] = []
        repeat {
            let pool = database.pool(role: "usage_report")
            let lines = try await pool.transaction { (transaction) throws(PostgresError) in
                _ = try transaction.query(period, parameters: values)
                var lines: [String] = []
                for query in queries {
                    for row in try transaction.query(query) { lines.append(try row.decode(at: 0)) }
                }
                return lines
            }
            await pool.close()
            let milliseconds = lines.filter { $0.hasPrefix("Planning Time: ") || $0.hasPrefix("Execution Time: ") }
                .compactMap { $0.split(separator: " ").dropLast().last.flatMap { Double($0) } }
            times.append(Int64(milliseconds.reduce(0, +) * 1e6))
        } while ContinuousClock.now < end
        return times
    }
}
