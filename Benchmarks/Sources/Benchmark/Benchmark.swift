import ArgumentParser

/// The program of `scripts/benchmark`.
@main
struct Benchmark: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "benchmark", abstract: "Measures usage beside what one would write by hand, in the same run.",
        subcommands: [RunCommand.self, CallersCommand.self, ProviderCommand.self], defaultSubcommand: RunCommand.self)

    /// Every benchmark, in the order in which all of them run.
    static let all: [any Measurement] = [
        ReserveBenchmark.oneCaller, ReserveBenchmark.fiftyCallers, ReserveBenchmark.thousandCallers,
        ReserveBenchmark.thousandProjects, WalletsBenchmark(), ProcessesBenchmark(),
        SettleBenchmark(), LifecycleBenchmark.brief, LifecycleBenchmark.whole, ChainBenchmark(),
        ReportBenchmark.million, ReportBenchmark.tenMillion, ExportBenchmark(), StartBenchmark(),
        QueueBenchmark(), WorkerBenchmark(),
    ]
}
