import Foundation

/// DuckDB from the package index of Python, on one month's tasks as Parquet.
struct DuckDB: Sendable {
    private let folder: ScratchFolder
    private let python: String
    private var parquet: String { folder.file("month.parquet") }

    /// Installs it into a folder of this run and turns the month's CSV into Parquet; nil where it cannot be installed.
    static func make(_ books: GrownBooks) async throws -> DuckDB? {
        let folder = try ScratchFolder()
        let duck = DuckDB(folder: folder, python: folder.file("venv/bin/python"))
        do {
            Progress.note("  installing DuckDB")
            _ = try await Program.run("/usr/bin/env", ["python3", "-m", "venv", folder.file("venv")], in: folder)
            _ = try await Program.run(duck.python, ["-m", "pip", "install", "--quiet", "duckdb"], in: folder)
        } catch {
            Progress.note("  DuckDB is missing: \(error)")
            return nil
        }
        let csv = folder.file("month.csv")
        _ = try await books.usage("tasks", "--month", books.month, "--format", "csv", "--output", csv)
        let copy = "COPY (SELECT * FROM read_csv_auto('\(csv)')) TO '\(duck.parquet)' (FORMAT parquet)"
        _ = try await Program.run(duck.python, ["-c", "import duckdb; duckdb.sql(\"\(copy)\")"], in: folder)
        return duck
    }

    /// Sums the month up by project, over and over in one process, and answers with how long each time took.
    func times(seconds: Int) async throws -> [Int64] {
        let script = """
            import duckdb, time
            query = '''
                SELECT project, count(*), count(*) FILTER (state = 'succeeded'), count(*) FILTER (state IN ('failed', 'rejected')),
                       sum(reserved_credits), sum(charged_credits), sum(released_credits), sum(held_credits)
                FROM '\(parquet)' GROUP BY project ORDER BY project'''
            connection = duckdb.connect()
            end = time.monotonic() + \(seconds)
            while time.monotonic() < end:
                start = time.perf_counter_ns()
                connection.execute(query).fetchall()
                print(time.perf_counter_ns() - start)
            """
        let outcome = try await Program.run(python, ["-c", script], in: folder)
        return outcome.output.split(separator: "\n").compactMap { Int64($0) }
    }
}
