import Accounting
import Foundation
import Postgres

/// Several processes on one wallet: they share its row, and order and limits must hold all the same.
struct ProcessesBenchmark: Measurement {
    let name = "reserve-processes"
    let summary = "4 processes with 50 callers in all, and with 50 each, on one wallet, beside one process with 50"

    /// What is left of the budget for which all processes race at the end.
    private static let tight: Int64 = 1000
    private static let split = [13, 13, 12, 12]

    func run(_ stage: Stage) async throws -> Report {
        let database = try await stage.server.database(name)
        let ours = try await OurBooks.make("ours", in: database)
        let books = try await OurBooks.make("ceiling", in: database)
        let ceiling = try Ceiling(of: [.reserve], books, clients: 4)
        let series = try await stage.interleave([
            Stage.Part("one process") { try await reserve(ours, $0, split: [50]) },
            Stage.Part("4 processes, 50 callers in all") { try await reserve(ours, $0, split: Self.split) },
            Stage.Part("4 processes, 50 callers each") { try await reserve(ours, $0, split: [50, 50, 50, 50]) },
            Stage.Part("ceiling: 4 clients, groups of 12") { try await ceiling.run($0, batch: 12) },
        ])
        var problems = try await ours.problems() + books.problems()
        problems += try await race(ours)
        problems += try await gaps(ours)
        problems += try await database.verify()
        try await database.drop()
        return Report(
            series: series, figures: [Figure(of: series[1], beside: series[3])],
            aims: [
                Aim(
                    "reserve from 4 processes with 50 callers in all: no slower than from one",
                    .ratio(series[1], to: series[0]), atLeast: 1),
                Aim(
                    "reserve from 4 processes with 50 callers each: no slower than from one with 50",
                    .ratio(series[2], to: series[0]), atLeast: 1),
                Aim(
                    "reserve from 4 processes on one wallet: order and limits exact",
                    Spread(byRound: [Double(problems.count)]), "differences", atMost: 0),
            ], problems: problems)
    }

    private func reserve(_ ours: OurBooks, _ round: Stage.Round, split: [Int]) async throws -> Sample {
        let last = try await ours.lastEntry()
        let start = Date().timeIntervalSince1970 + 1
        let (all, use) = try await withThrowingTaskGroup(of: [CallersCommand.Answer].self) { group in
            group.addTask { try await answers(ours, "project-1", start, round.seconds, split: split) }
            try await Task.sleep(for: .seconds(start - Date().timeIntervalSince1970))
            return try await ours.database.server.watch(seconds: round.seconds) { try await group.next() ?? [] }
        }
        ours.count(reserved: all.map(\.reserved).reduce(0, +))
        let samples = all.map(\.sample)
        return Sample(
            operations: samples.map(\.operations).reduce(0, +), seconds: samples.map(\.seconds).max() ?? .nan,
            latencies: samples.flatMap(\.latencies).sorted(),
            clientCPUSeconds: samples.compactMap(\.clientCPUSeconds).reduce(0, +),
            clientPeakBytes: samples.compactMap(\.clientPeakBytes).reduce(0, +),
            groupSize: try await ours.groupSize(since: last)
        ).served(use)
    }

    /// All processes ask for the last credits of a budget: exactly what fits is given out.
    private func race(_ ours: OurBooks) async throws -> [String] {
        try await ours.ledger.createProject("tight", month: Credits(Self.tight * OurBooks.price + 1), at: Date())
        let answers = try await answers(
            ours, "tight", Date().timeIntervalSince1970 + 1, 60, split: Self.split, untilRefused: true)
        let (reserved, refused) = (answers.map(\.reserved).reduce(0, +), answers.map(\.refused).reduce(0, +))
        ours.count(reserved: reserved)
        var problems: [String] = []
        if reserved != Int(Self.tight) {
            problems.append("of a budget for \(Self.tight) tasks \(reserved) were given out")
        }
        if refused == 0 { problems.append("the race was over before the budget was, so nothing is shown") }
        return problems
    }

    private func answers(
        _ ours: OurBooks, _ project: String, _ start: Double, _ seconds: Int, split: [Int], untilRefused: Bool = false
    ) async throws -> [CallersCommand.Answer] {
        guard let program = Bundle.main.executablePath else {
            throw Mistake("This program does not know its own path.")
        }
        return try await withThrowingTaskGroup(of: CallersCommand.Answer.self) { group in
            for callers in split {
                group.addTask {
                    let output = try await Program.run(
                        program,
                        [
                            "callers", "--url", ours.database.url, "--wallet", ours.ledger.wallet.slug, "--project",
                            project,
                            "--callers", "\(callers)", "--start-at", "\(start)", "--seconds", "\(seconds)",
                        ] + (untilRefused ? ["--until-refused"] : []), in: ScratchFolder()
                    ).output
                    return try JSONDecoder().decode(CallersCommand.Answer.self, from: Data(output.utf8))
                }
            }
            var all: [CallersCommand.Answer] = []
            for try await answer in group { all.append(answer) }
            return all
        }
    }

    /// The entries of the wallet are numbered from 1, each number once.
    private func gaps(_ ours: OurBooks) async throws -> [String] {
        let row = try await ours.database.owner.query(
            """
            SELECT count(*) AS entries, count(DISTINCT entry_number) AS numbers, coalesce(max(entry_number), 0) AS last
            FROM entry_hash WHERE wallet_id = $1
            """, ours.ledger.wallet.id)[0]
        let (entries, numbers): (Int64, Int64) = (try row.decode("entries"), try row.decode("numbers"))
        let last: Int64 = try row.decode("last")
        let balance = try await ours.lastEntry()
        guard entries == numbers, entries == last, last == balance else {
            return ["\(entries) entries have \(numbers) numbers up to \(last), and the wallet counts \(balance)"]
        }
        return []
    }
}
