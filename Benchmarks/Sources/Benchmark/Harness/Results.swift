import Foundation
import Reporting

/// All that a run found, as text and as JSON.
struct Results: Sendable {
    let conditions: Conditions
    private var benchmarks: [Entry] = []
    /// One for each benchmark so far.
    private(set) var texts: [String] = []
    /// Everywhere that books do not add up.
    var problems: [String] { benchmarks.flatMap(\.report.problems) }

    private struct Entry: Encodable, Sendable {
        let name: String
        let summary: String
        let report: Report
    }

    private struct Document: Encodable {
        let conditions: Conditions
        let benchmarks: [Entry]
    }

    init(conditions: Conditions) { self.conditions = conditions }

    mutating func add(_ report: Report, of benchmark: any Measurement) {
        benchmarks.append(
            Entry(
                name: benchmark.name, summary: benchmark.summary, report: report))
        texts.append(report.text(conditions.hasEnoughRounds ? benchmark.name : "\(benchmark.name), TOO FEW ROUNDS"))
    }

    func json() throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        encoder.dateEncodingStrategy = .iso8601
        encoder.nonConformingFloatEncodingStrategy = .convertToString(
            positiveInfinity: "infinite", negativeInfinity: "-infinite", nan: "unknown")
        return try encoder.encode(Document(conditions: conditions, benchmarks: benchmarks)) + Data("\n".utf8)
    }
}

extension Report {
    fileprivate func text(_ name: String) -> String {
        var parts: [String] = []
        if !series.isEmpty { parts.append(seriesTable(name)) }
        if !figures.isEmpty {
            var table = TextTable([.text(name), .number("figure"), .number("least"), .number("most"), .text("unit")])
            for figure in figures { table.add([figure.name] + figure.spread.columns + [figure.unit]) }
            parts.append(table.render())
        }
        if !aims.isEmpty {
            var table = TextTable([.text("aim"), .text("figure"), .text("reached")])
            for aim in aims { table.add([aim.aim, aim.figure, aim.isReached ? "yes" : "no"]) }
            parts.append(table.render())
        }
        if !conditions.isEmpty { parts.append(conditions.map { $0 + "\n" }.joined()) }
        if problems.isEmpty {
            parts.append("books: right\n")
        } else {
            parts.append("books: WRONG\n" + problems.map { "  \($0)\n" }.joined())
        }
        return parts.joined(separator: "\n")
    }

    private func seriesTable(_ name: String) -> String {
        var table = TextTable(
            [.text(name)]
                + [
                    "operations/s", "least", "most", "p50 ms", "p99 ms", "p99.9 ms", "client CPU s/1000",
                    "server CPU s/1000", "client MB", "server MB", "group",
                ].map { .number($0) })
        for one in series {
            let megabytes = [one.clientPeakBytes?.most, one.serverMemoryBytes.map(Double.init)].map {
                $0.map { $0 / 1e6 }
            }
            let others = [one.clientCPU?.median, one.serverCPU?.median] + megabytes
            table.add(
                [one.name] + one.operationsPerSecond.columns + [0.5, 0.99, 0.999].map { one.latency($0).median.shown }
                    + others.map { $0?.shown ?? "-" } + [one.groupSize.map { "\(Int($0.median))" } ?? "-"])
        }
        return table.render()
    }
}

extension Spread {
    /// The median, and the least and the most where there are several.
    fileprivate var columns: [String] {
        byRound.count > 1 ? [median.shown, least.shown, most.shown] : [median.shown, "-", "-"]
    }
}

extension Double {
    /// Three significant digits, or all before the point.
    var shown: String {
        guard isFinite else { return "-" }
        if self == 0 { return "0" }
        let digits = max(0, 2 - Int(Foundation.log10(abs(self)).rounded(.down)))
        return String(format: "%.\(digits)f", self)
    }
}
