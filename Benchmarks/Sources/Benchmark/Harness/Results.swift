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
        benchmarks.append(Entry(name: benchmark.name, summary: benchmark.summary, report: report))
        texts.append(report.text(benchmark.name))
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
            var table = TextTable([.text(name), .number("figure"), .text("unit")])
            for figure in figures { table.add([figure.name, figure.value.shown, figure.unit]) }
            parts.append(table.render())
        }
        if !aims.isEmpty {
            var table = TextTable([.text("aim"), .text("figure"), .text("reached")])
            for aim in aims { table.add([aim.aim, aim.figure, aim.isReached ? "yes" : "no"]) }
            parts.append(table.render())
        }
        if problems.isEmpty {
            parts.append("books: right\n")
        } else {
            parts.append("books: WRONG\n" + problems.map { "  \($0)\n" }.joined())
        }
        return parts.joined(separator: "\n")
    }

    private func seriesTable(_ name: String) -> String {
        var table = TextTable([
            .text(name), .number("operations/s"), .number("least"), .number("most"), .number("p50 ms"),
            .number("p99 ms"),
            .number("p99.9 ms"), .number("client CPU s/1000"), .number("server CPU s/1000"), .number("peak MB"),
            .number("group"),
        ])
        for one in series {
            let speeds = one.samples.map(\.operationsPerSecond)
            table.add([
                one.name, one.operationsPerSecond.shown, (speeds.min() ?? .nan).shown, (speeds.max() ?? .nan).shown,
                one.latency(0.5).shown, one.latency(0.99).shown, one.latency(0.999).shown, one.clientCPU?.shown ?? "-",
                one.serverCPU?.shown ?? "-", one.clientPeakBytes.map { (Double($0) / 1e6).shown } ?? "-",
                one.groupSize.map(String.init) ?? "-",
            ])
        }
        return table.render()
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
