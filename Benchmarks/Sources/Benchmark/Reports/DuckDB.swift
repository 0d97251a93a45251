/// DuckDB from the package index of Python, on one month's tasks as Parquet.
struct DuckDB: Sendable {
    private let python: Python
    /// What it is.
    var version: String { python.versions }
    private var parquet: String { python.folder.file("month.parquet") }

    /// Installs it and turns the month's CSV into Parquet; nil where it cannot be installed.
    static func make(_ books: GrownBooks) async throws -> DuckDB? {
        guard let python = try await Python.make(with: ["duckdb==2.0.1"]) else { return nil }
        let duck = DuckDB(python: python)
        let csv = python.folder.file("month.csv")
        _ = try await books.usage("tasks", "--month", books.month, "--format", "csv", "--output", csv)
        let copy = "COPY (SELECT * FROM read_csv_auto('\(csv)')) TO '\(duck.parquet)' (FORMAT parquet)"
        _ = try await python.run("import duckdb; duckdb.sql(\"\(copy)\")")
        return duck
    }

    /// Sums the month up by project, over and over in one process: how long each time took.
    ///
    /// - Parameter totals: What must come out.
    func sumUp(seconds: Int, totals: MonthTotals) async throws -> Sample {
        let script = """
            import duckdb, time
            query = '''
                SELECT project, count(*), count(*) FILTER (state = 'succeeded'), count(*) FILTER (state IN ('failed', 'rejected')),
                       sum(reserved_credits), sum(charged_credits), sum(released_credits), sum(held_credits)
                FROM '\(parquet)' GROUP BY project ORDER BY project'''
            connection = duckdb.connect()
            first = None
            started_with = time.process_time()
            end = time.monotonic() + \(seconds)
            while time.monotonic() < end:
                start = time.perf_counter_ns()
                rows = connection.execute(query).fetchall()
                print(time.perf_counter_ns() - start)
                first = first or rows
                assert rows == first
            print("CPU", time.process_time() - started_with)
            for row in first: print(",".join(map(str, row)))
            """
        let outcome = try await python.run(script)
        let lines = outcome.output.split(separator: "\n")
        try totals.check(lines.filter { $0.contains(",") }, of: "DuckDB")
        var sample = Sample.times(lines.compactMap { Int64($0) })
        sample.clientPeakBytes = outcome.peakBytes
        sample.clientCPUSeconds = lines.first { $0.hasPrefix("CPU ") }.flatMap { Double($0.dropFirst(4)) }
        return sample
    }
}
