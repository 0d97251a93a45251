import Foundation
import Postgres

/// Books of an invented company that have grown for months, in a database of this run's server.
struct GrownBooks: Sendable {
    let database: BenchmarkDatabase
    /// A month that is over, with about as many tasks as any, as in `2026-05`.
    let month: String
    /// How many tasks it has.
    let tasksOfMonth: Int
    private let usage: UsageProgram

    /// Fills a database with `usage bench-data`, and proves it.
    static func make(_ name: String, tasks: Int, months: Int, on stage: Stage) async throws -> GrownBooks {
        let database = try await stage.server.database(name)
        let usage = try UsageProgram(url: database.url)
        Progress.note("  inventing \(tasks) tasks over \(months) months")
        let filled = try await usage.run(["bench-data", "--tasks", "\(tasks)", "--months", "\(months)"])
        Progress.note("  that took \(filled.seconds.shown) s")
        let found = try await database.owner.query(
            """
            SELECT to_char(day, 'YYYY-MM') AS month, sum(tasks)::bigint AS tasks
            FROM day_total GROUP BY 1 ORDER BY 1 OFFSET $1 LIMIT 1
            """, Int64((months - 1) / 2))
        guard let row = found.first else { throw Mistake("There are no tasks in the books that were to be filled.") }
        return GrownBooks(
            database: database, month: try row.decode("month"),
            tasksOfMonth: Int(try row.decode("tasks", as: Int64.self)), usage: usage)
    }

    /// The statements of a report of the month by project, as psql can run them.
    func reportScript() throws -> String {
        try period() + "\\g /dev/null\n"
            + ["charges_by_project", "unit_prices", "unattributed"].map { try Self.query($0) + ";\n" }.joined()
            + "COMMIT;\n"
    }

    /// The month's sums by project from the raw rows, as one would write it by hand: of the month's partitions alone.
    var rawScript: String {
        let tasks =
            "task_id >= least_task_id('\(month)-01'::date - 2) AND task_id < least_task_id('\(nextMonth)-01'::date + 2)"
        return """
            SELECT project.slug, count(*), count(*) FILTER (WHERE ended.outcome = 'succeeded') AS succeeded,
                   count(*) FILTER (WHERE ended.outcome <> 'succeeded') AS failed,
                   sum(coalesce(ended.reserved_credits, hold.amount_credits) + coalesce(later.reserved, 0)) AS reserved,
                   sum(coalesce(ended.charged_credits, 0) + coalesce(later.charged, 0)) AS charged,
                   sum(coalesce(ended.released_credits, 0) + coalesce(later.released, 0)) AS released,
                   sum(CASE WHEN ended.task_id IS NULL THEN hold.amount_credits ELSE 0 END) AS held
            FROM (SELECT * FROM reservation WHERE \(tasks) AND day >= '\(month)-01' AND day < '\(nextMonth)-01') AS hold
            JOIN project USING (wallet_id, project_id)
            LEFT JOIN (SELECT * FROM settlement WHERE \(tasks)) AS ended USING (wallet_id, task_id)
            LEFT JOIN (SELECT wallet_id, task_id, sum(reserved_credits) AS reserved, sum(charged_credits) AS charged,
                              sum(released_credits) AS released
                       FROM correction WHERE \(tasks) GROUP BY wallet_id, task_id) AS later USING (wallet_id, task_id)
            GROUP BY project.slug ORDER BY project.slug;

            """
    }

    /// What the month adds up to.
    func totals() async throws -> MonthTotals {
        try MonthTotals(report: await usage("report", "--month", month, "--format", "csv").output)
    }

    /// The COPY of the month's tasks to a file, as psql can run it.
    func exportScript(to file: String) throws -> String {
        let query = try Self.query("tasks_of_period").split(separator: "\n").filter {
            !$0.drop { $0 == " " }.hasPrefix("--")
        }
        return try period() + "\\g /dev/null\n" + Self.query("set_tasks") + "\\g /dev/null\n"
            + "\\copy (\(query.joined(separator: " "))) TO '\(file)' WITH (FORMAT csv, HEADER)\nCOMMIT;\n"
    }

    /// What begins a transaction that reads the month.
    func period() throws -> String {
        let text = try Self.query("set_period")
            .replacing("$1::text", with: "'main'").replacing("$2::text", with: "'\(month)'")
            .replacing("$3::timestamptz", with: "now()").replacing("$4::text", with: "''")
        return "SET ROLE usage_report;\nBEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;\n" + text
    }

    var nextMonth: String {
        let parts = month.split(separator: "-").compactMap { Int($0) }
        return parts[1] == 12 ? "\(parts[0] + 1)-01" : String(format: "%04d-%02d", parts[0], parts[1] + 1)
    }

    /// A query of the folder reports, which scripts/benchmark runs beside.
    static func query(_ name: String) throws -> String {
        let text = try String(contentsOfFile: "reports/\(name).sql", encoding: .utf8)
        return text.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// Runs the program on these books.
    func usage(_ arguments: String...) async throws -> Program.Outcome { try await usage.run(arguments) }

    /// Runs psql on these books, without its settings.
    func psql(_ arguments: String...) async throws -> Program.Outcome { try await usage.psql(arguments, on: database) }
}

/// The program `usage` that was built beside this one, on a database.
struct UsageProgram: Sendable {
    private let path: String
    private let url: String
    private let folder: ScratchFolder

    init(url: String) throws {
        guard let own = Bundle.main.executableURL else { throw Mistake("This program does not know where it is.") }
        let built = own.deletingLastPathComponent().appending(path: "usage").path()
        guard FileManager.default.isExecutableFile(atPath: built) else {
            throw Mistake("There is no usage beside this program; run scripts/benchmark.")
        }
        self.url = url
        folder = try ScratchFolder()
        // As it is installed. What a linker has just written lies in small pieces in the system's cache, and takes a tenth longer
        // to load.
        path = folder.file("usage")
        try FileManager.default.copyItem(atPath: built, toPath: path)
    }

    func run(_ arguments: [String]) async throws -> Program.Outcome {
        try await Program.run(path, arguments, environment: ["DATABASE_URL": url], in: folder)
    }

    func psql(_ arguments: [String], on database: BenchmarkDatabase) async throws -> Program.Outcome {
        try await Program.run(
            database.server.program("psql"),
            ["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1"] + arguments + [database.url], in: folder)
    }
}

extension Sample {
    /// Runs a program again and again, one run after the other; each counts as so many operations.
    static func runs(
        for seconds: Int, on server: BenchmarkServer, operationsEach: Int = 1,
        _ run: () async throws -> Program.Outcome
    ) async throws -> Sample {
        let (outcomes, use) = try await server.watch(seconds: seconds) {
            var outcomes: [Program.Outcome] = []
            let end = ContinuousClock.now + .seconds(seconds)
            repeat { outcomes.append(try await run()) } while ContinuousClock.now < end
            return outcomes
        }
        return Sample(
            operations: outcomes.count * operationsEach, seconds: outcomes.map(\.seconds).reduce(0, +),
            latencies: outcomes.map { Int64($0.seconds * 1e9) }.sorted(),
            clientCPUSeconds: outcomes.map(\.cpuSeconds).reduce(0, +),
            clientPeakBytes: outcomes.compactMap(\.peakBytes).max()
        ).served(use)
    }

    /// Times that were measured elsewhere, in nanoseconds.
    static func times(_ nanoseconds: [Int64]) -> Sample {
        Sample(
            operations: nanoseconds.count, seconds: Double(nanoseconds.reduce(0, +)) / 1e9,
            latencies: nanoseconds.sorted())
    }
}
