import Accounting
import Foundation
import Ledger
import Postgres
import Reporting
import Synchronization
import TestDatabase
import Testing

@Suite(.books) struct `The report of a month` {
    @Test(arguments: ReportRequest.Grouping.allCases) func `is a table for people`(grouping: ReportRequest.Grouping)
        async throws
    {
        _ = try await SampleMonth().lived()
        #expect(try await Report.sample(grouping).table() == expected("by_\(grouping.rawValue).txt"))
    }

    @Test(arguments: ReportRequest.Grouping.allCases) func `is JSON for programs`(grouping: ReportRequest.Grouping)
        async throws
    {
        _ = try await SampleMonth().lived()
        let json = try await Report.sample(grouping).json
        #expect(try json == expected("by_\(grouping.rawValue).json"))
        #expect(throws: Never.self) { try JSONSerialization.jsonObject(with: Data(json.utf8)) }
    }

    @Test(arguments: ReportRequest.Grouping.allCases)
    func `is CSV for spreadsheets, without a total`(grouping: ReportRequest.Grouping) async throws {
        _ = try await SampleMonth().lived()
        #expect(try await Report.csv(.sample(grouping)) == expected("by_\(grouping.rawValue).csv"))
    }

    @Test func `has the same columns in all forms`() async throws {
        _ = try await SampleMonth().lived()
        let header = try #require(await Report.csv(.sample()).split(separator: "\n").first)
        #expect(header.split(separator: ",").map(String.init) == ["project"] + ReportRow.columns)
        let table = try #require(await Report.sample().table().split(separator: "\n").dropFirst().first)
        // The table says once, in its title, that all is in credits.
        let titles = (["project"] + ReportRow.columns).map { $0.replacing("_credits", with: "") } + ["used"]
        #expect(table.split(separator: " ").map(String.init) == titles)
        let json = try await Report.sample().json
        #expect(ReportRow.columns.filter { !json.contains("\"\($0)\": ") } == [])
    }

    @Test func `is the same to the byte when it is made again`() async throws {
        let month = try await SampleMonth().lived()
        let first = (try await Report.sample().table(), try await Report.sample().json, try await Report.csv(.sample()))
        _ = try await month.hold("trailer", at: .utc("2026-06-03T10:00:00Z"))
        let second = (
            try await Report.sample().table(), try await Report.sample().json, try await Report.csv(.sample())
        )
        #expect(first == second)
    }

    @Test(arguments: ReportRequest.Grouping.allCases) func `adds up`(grouping: ReportRequest.Grouping) async throws {
        _ = try await SampleMonth().lived()
        let report = try await Report.sample(grouping)
        for row in report.rows + [report.total] {
            #expect(
                row.figure("reserved_credits")
                    == row.figure("charged_credits") + row.figure("released_credits") + row.figure("held_credits"))
            #expect(row.figure("tasks") == row.figure("succeeded") + row.figure("failed") + row.figure("open"))
        }
        for column in ReportRow.columns.dropLast() {
            #expect(report.total.figure(column) == report.rows.reduce(0) { $0 + $1.figure(column) })
        }
    }

    @Test func `has one total, whatever its rows stand for`() async throws {
        _ = try await SampleMonth().lived()
        let project = try await Report.sample(.project).total.figures
        #expect(try await Report.sample(.model).total.figures == project)
        #expect(try await Report.sample(.day).total.figures == project)
    }

    @Test func `counts a task in the month of its hold, by the wallet's clocks`() async throws {
        _ = try await SampleMonth().lived()
        #expect(try await Report.sample(month: "2026-04").total.figure("tasks") == 1)
        #expect(try await Report.sample(month: "2026-05").total.figure("tasks") == 11)
        #expect(try await Report.sample(month: "2026-06").total.figure("tasks") == 1)
    }

    @Test func `keeps the budget that a past month had`() async throws {
        _ = try await SampleMonth().lived()
        let budget = { (report: Report) in report.rows.first { $0.name == "advert" }?.budget }
        #expect(budget(try await Report.sample(month: "2026-05")) == .credits(100))
        #expect(budget(try await Report.sample(month: "2026-06")) == .credits(9000))
    }

    @Test func `leaves out projects that the month did not know`() async throws {
        _ = try await SampleMonth().lived()
        #expect(try await Report.sample(month: "2026-05").rows.map(\.name) == ["advert", "idle", "trailer"])
        #expect(try await Report.sample(month: "2026-06").rows.map(\.name) == ["advert", "idle", "late", "trailer"])
    }

    @Test func `can be of one project`() async throws {
        _ = try await SampleMonth().lived()
        for grouping in ReportRequest.Grouping.allCases {
            let report = try await Report.sample(grouping, project: "advert")
            #expect(report.total.figure("tasks") == 2)
            #expect(report.total.figure("refused") == 2)
            #expect(report.unitPrices.map(\.model) == ["kling-v2-5-turbo-pro"])
            #expect(
                report.table().hasPrefix(
                    "Usage of wallet studio, project advert, 2026-05 (Europe/Berlin), in credits\n"))
        }
    }

    @Test func `shows a correction in the month of the hold`() async throws {
        let month = try await SampleMonth()
        let task = try await month.hold("trailer", at: .utc("2026-05-12T10:00:00Z"))
        try await month.end(task, .failed, 0, recheckAt: .utc("2026-06-02T00:00:00Z"))
        #expect(try await Report.sample().total.figure("released_credits") == 42)
        let token = try #require(await month.lease(task)).leaseToken
        let later = Settlement(
            taskID: task, leaseToken: token, outcome: .succeeded, charged: .credits(42),
            settledAt: .utc("2026-06-02T00:00:00Z"))
        #expect(try await month.ledger.settle(later) == .corrected)
        #expect(try await Report.sample().total.figure("charged_credits") == 42)
        #expect(try await Report.sample(month: "2026-06").total.figure("charged_credits") == 0)
    }

    @Test func `of an empty month has the projects and no spend`() async throws {
        _ = try await SampleMonth()
        let report = try await Report.sample()
        #expect(report.rows.map(\.name) == ["advert", "idle", "trailer"])
        #expect(report.total.figures.allSatisfy { $0 == 0 })
        #expect(report.table() == (try expected("empty.txt")))
        #expect(try await Report.sample(.day).rows.isEmpty)
        #expect(try await Report.csv(.sample(.model)) == "model,\(ReportRow.columns.joined(separator: ","))\n")
    }

    @Test func `of a month before the wallet is empty`() async throws {
        _ = try await SampleMonth().lived()
        let report = try await Report.sample(month: "2025-01")
        #expect(report.rows.isEmpty)
        #expect(report.reading == nil)
        #expect(report.total.budget == nil)
        #expect(
            report.table().hasSuffix("\nUnattributed: not known; the wallet's balance was not read in this month.\n"))
    }

    @Test func `is not made for a wallet or project that there is not`() async throws {
        _ = try await SampleMonth()
        await #expect(throws: ReportError.unknownProject("gamma")) { try await Report.sample(project: "gamma") }
        await #expect(throws: ReportError.unknownWallet("gamma")) {
            try await Report.make(
                ReportRequest(wallet: "gamma", month: .sample("2026-05")), from: TestDatabase.current.pool(),
                at: .utc("2026-06-02T00:00:00Z"))
        }
    }

    @Test(arguments: [
        "reserved_credits = reserved_credits + 1", "charged_credits = charged_credits + 1", "tasks = tasks - 100",
        "held_credits = held_credits - 100000, reserved_credits = reserved_credits - 100000",
    ])
    func `is not made of totals that do not add up`(change: String) async throws {
        _ = try await SampleMonth().lived()
        try await TestDatabase.current.tamper(
            """
            ALTER TABLE day_total DROP CONSTRAINT day_total_adds_up, DROP CONSTRAINT day_total_counts_not_negative,
                DROP CONSTRAINT day_total_tasks_add_up;
            ALTER TABLE month_total DROP CONSTRAINT month_total_adds_up;
            UPDATE day_total SET \(change) WHERE day = '2026-05-12'
                AND project_id = (SELECT project_id FROM project WHERE slug = 'trailer');
            UPDATE month_total SET \(change) WHERE month = '2026-05-01' AND model = 'kling-v2-5-turbo-pro'
                AND project_id = (SELECT project_id FROM project WHERE slug = 'trailer');
            """)
        await #expect(throws: ReportError.doesNotAddUp(row: "trailer")) { try await Report.csv(.sample()) }
        await #expect(throws: ReportError.doesNotAddUp(row: "2026-05-12")) { try await Report.sample(.day) }
        await #expect(throws: ReportError.doesNotAddUp(row: "kling-v2-5-turbo-pro")) { try await Report.sample(.model) }
    }

    @Test func `counts what comes later for a day that is over`() async throws {
        let month = try await SampleMonth()
        let task = try await month.hold("trailer", at: .utc("2026-05-12T08:00:00Z"))
        _ = try await month.hold("trailer", at: .utc("2026-05-20T08:00:00Z"))
        let sealed = try await TestDatabase.current.pool().query("SELECT day::text FROM day_total WHERE sealed")
        #expect(
            try sealed.map { row throws(PostgresError) in try row.decode(at: 0, as: String.self) } == ["2026-05-12"])
        try await month.end(task, .succeeded, 42)
        // A caller whose clock is late by days.
        _ = try await month.hold("trailer", at: .utc("2026-05-12T09:00:00Z"))
        _ = try await month.hold("advert", at: .utc("2026-05-11T09:00:00Z"))
        for grouping in ReportRequest.Grouping.allCases {
            let total = try await Report.sample(grouping).total
            #expect(total.figure("tasks") == 4 && total.figure("succeeded") == 1)
            #expect(total.figure("charged_credits") == 42 && total.figure("held_credits") == 126)
        }
        #expect(try await Verification.run(on: .reports).map(\.subject) == [])
    }

    @Test func `quotes a model's name in CSV where it holds a comma or a quotation mark`() async throws {
        let month = try await SampleMonth()
        let name = #"veo-3, "fast""#
        try await month.ledger.setPrice(
            Price(model: name, parameter: nil, amount: .credits(10), effectiveFrom: .utc("2026-05-01T00:00:00Z")))
        _ = try await month.hold("trailer", model: name, at: .utc("2026-05-12T08:00:00Z"))
        let csv = try await Report.csv(.sample(.model))
        #expect(csv.split(separator: "\n").last == #""veo-3, ""fast""",1,0,0,1,0,0,10,0,0,10,"#)
    }

    @Test func `of now is the wallet's own month`() async throws {
        _ = try await SampleMonth()
        let month = { (moment: String) in
            try await Report.make(ReportRequest(wallet: SampleMonth.slug), from: .reports, at: .utc(moment)).month
        }
        #expect(try await month("2026-05-31T21:59:59Z") == .sample("2026-05"))
        #expect(try await month("2026-05-31T22:00:00Z") == .sample("2026-06"))
    }
}

extension ReportRequest {
    static func sample(_ grouping: Grouping = .project, month: String = "2026-05", project: String? = nil)
        -> ReportRequest
    {
        ReportRequest(wallet: SampleMonth.slug, month: .sample(month), grouping: grouping, project: project)
    }
}

extension ConnectionPool {
    /// Connections under the role that may only read.
    static var reports: ConnectionPool { TestDatabase.current.pool(maximumConnections: 1, role: "usage_report") }
}

extension Report {
    static func sample(
        _ grouping: ReportRequest.Grouping = .project, month: String = "2026-05", project: String? = nil
    ) async throws -> Report {
        try await make(
            .sample(grouping, month: month, project: project), from: .reports, at: .utc("2026-06-02T00:00:00Z"))
    }

    static func csv(_ request: ReportRequest) async throws -> String {
        try await make(request, from: .reports, at: .utc("2026-06-02T00:00:00Z")).csv
    }
}

extension TestDatabase {
    /// Changes rows as only the owner of the tables can, past every rule.
    func tamper(_ sql: String) async throws {
        let script = Statement("SET LOCAL session_replication_role = replica; \(sql)")
        try await pool(maximumConnections: 1).transaction { (transaction) throws(PostgresError) in
            try transaction.executeScript(script)
        }
    }
}
