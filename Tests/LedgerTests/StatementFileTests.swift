import Foundation
import Postgres
import TestDatabase
import Testing
import UsageReports
import UsageSQL

@Suite struct `The embedded SQL` {
    @Test func `has every migration of the folder, in order`() throws {
        #expect(UsageSQL.migrations.map(\.name) == (try SQLFolder.migrations.files.map(\.name)))
        let files = try SQLFolder.migrations.files.map { Array($0.sql.utf8) }
        #expect(UsageSQL.migrations.map(\.sql) == files)
    }

    @Test func `has every query of the folder`() throws {
        #expect(try SQLFolder.queries.files.map(\.sql).sorted() == SQLFolder.embeddedQueries.map(\.sql).sorted())
    }

    @Test func `has every proof of the folder`() throws {
        let files = Dictionary(uniqueKeysWithValues: try SQLFolder.verify.files.map { ($0.name, $0.sql) })
        let proofs = Dictionary(uniqueKeysWithValues: UsageSQL.proofs.map { ("\($0.name).sql", $0.statement.sql) })
        #expect(proofs == files)
    }

    @Test func `has every report of the folder`() throws {
        #expect(try SQLFolder.reports.files.map(\.sql).sorted() == SQLFolder.embeddedReports.map(\.sql).sorted())
    }

    @Test(arguments: SQLFolder.allCases) func `says in its first line what each file is for`(folder: SQLFolder) throws {
        for file in try folder.files {
            #expect(file.sql.hasPrefix("-- "), "\(file.name) begins with a comment")
        }
    }
}

@Suite(.books) struct `A migrated database` {
    @Test(arguments: [SQLFolder.queries, .verify, .reports]) func `prepares every statement`(folder: SQLFolder)
        async throws
    {
        let pool = TestDatabase.current.pool(maximumConnections: 1)
        for file in try folder.files {
            let script = Statement("PREPARE checked AS \(file.sql); DEALLOCATE checked")
            let problem: PostgresError?
            do throws(PostgresError) {
                try await pool.transaction { (transaction) throws(PostgresError) in
                    try transaction.executeScript(script)
                }
                problem = nil
            } catch { problem = error }
            #expect(problem == nil, "\(file.name)")
        }
    }
}

/// A folder of SQL files as it is on disk.
enum SQLFolder: String, CaseIterable {
    case migrations = "sql/migrations"
    case queries = "sql/queries"
    case verify = "sql/verify"
    case reports

    var files: [(name: String, sql: String)] {
        get throws {
            var root = URL(filePath: #filePath)
            for _ in 1...3 { root.deleteLastPathComponent() }
            let folder = root.appending(path: rawValue)
            return try FileManager.default.contentsOfDirectory(atPath: folder.path()).filter { $0.hasSuffix(".sql") }
                .sorted()
                .map { ($0, try String(contentsOf: folder.appending(path: $0), encoding: .utf8)) }
        }
    }

    static let embeddedQueries = [
        Query.accept, Query.beginReading, Query.budgets, Query.claim, Query.createProject, Query.createWallet,
        Query.extendLeases, Query.makePartitions, Query.nextDue, Query.prices, Query.recordErrors, Query.recordReading,
        Query.refusal,
        Query.reserve,
        Query.schedule, Query.setBudget, Query.setPrice, Query.settle, Query.storeRequest, Query.task, Query.taskEvents,
        Query.taskStates, Query.tasks, Query.wake, Query.wallet,
    ]

    static let embeddedReports = [
        ReportQuery.chainHeads, ReportQuery.entries, ReportQuery.chargesByDay, ReportQuery.chargesByModel,
        ReportQuery.chargesByProject, ReportQuery.setPeriod, ReportQuery.setTasks, ReportQuery.tasksOfPeriod,
        ReportQuery.unattributed, ReportQuery.unitPrices,
    ]
}
