/// What a command costs before it does anything.
struct StartBenchmark: Measurement {
    let name = "startup"
    let summary = "usage --version and a report of empty books, beside psql -c 'select 1'"

    func run(_ stage: Stage) async throws -> Report {
        let database = try await stage.server.database(name)
        let usage = try UsageProgram(url: database.url)
        let series = try await stage.interleave([
            Stage.Part("usage --version") { round in
                try await .runs(for: round.seconds, on: stage.server) { try await usage.run(["--version"]) }
            },
            Stage.Part("usage report") { round in
                try await .runs(for: round.seconds, on: stage.server) { try await usage.run(["report"]) }
            },
            Stage.Part("psql -c 'select 1'") { round in
                try await .runs(for: round.seconds, on: stage.server) {
                    try await usage.psql(["--command", "select 1"], on: database)
                }
            },
        ])
        let problems = try await database.verify()
        try await database.drop()
        return Report(
            series: series,
            aims: series.dropLast().map { one in
                Aim(
                    "\(one.name): at most 3 times psql -c 'select 1'", .ratio(series[2], to: one), atMost: 3)
            }, problems: problems)
    }
}
