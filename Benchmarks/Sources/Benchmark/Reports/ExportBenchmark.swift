/// The CSV of a month's tasks.
struct ExportBenchmark: Measurement {
    let name = "export"
    let summary = "a month's tasks as CSV into a file, about 400,000 rows, beside psql's \\copy of the same query"

    func run(_ stage: Stage) async throws -> Report {
        let books = try await GrownBooks.make(name, tasks: 1_200_000, months: 3, on: stage)
        var problems = try await books.database.verify()
        let folder = try ScratchFolder()
        let (ours, theirs) = (folder.file("ours.csv"), folder.file("theirs.csv"))
        let script = try folder.write(books.exportScript(to: theirs), to: "export.sql")
        let small = try await books.usage(
            "tasks", "--month", books.month, "--format", "csv", "--project", "project-500", "--output", ours)
        let series = try await stage.interleave([
            Stage.Part("usage tasks, rows") { round in
                try await .runs(for: round.seconds, on: stage.server, operationsEach: books.tasksOfMonth) {
                    try await books.usage("tasks", "--month", books.month, "--format", "csv", "--output", ours)
                }
            },
            Stage.Part("psql \\copy, rows") { round in
                try await .runs(for: round.seconds, on: stage.server, operationsEach: books.tasksOfMonth) {
                    try await books.psql("--file", script)
                }
            },
        ])
        do { _ = try await Program.run("/usr/bin/env", ["cmp", ours, theirs], in: folder) } catch {
            problems.append("the two files differ: \(error)")
        }
        try await books.database.drop()
        let smallPeak = small.peakBytes.map(Double.init) ?? .nan
        let grown = Spread(byRound: series[0].samples.map { ($0.clientPeakBytes.map(Double.init) ?? .nan) / smallPeak })
        return Report(
            series: series,
            figures: [Figure(name: "rows in the month", value: Double(books.tasksOfMonth), unit: "rows")],
            aims: [
                Aim(
                    "CSV of a month's tasks: at least 70 % of the rows/s of psql \\copy",
                    .ratio(series[0], to: series[1]),
                    atLeast: 0.7),
                Aim(
                    "CSV of a month's tasks: flat memory", grown, "times that of one small project's tasks", atMost: 1.1
                ),
            ], problems: problems)
    }
}
