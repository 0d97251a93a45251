import Foundation
import Ledger
import Postgres
import Reporting
import Synchronization
import TestDatabase
import Testing
import UsageReports

@Suite(.books) struct `The chain of entries` {
    @Test func `is whole in books that are right, and in their export`() async throws {
        _ = try await SampleMonth().lived()
        let verification = try await Verification.make(on: .reports)
        #expect(verification.differences == [])
        let head = try #require(verification.heads.first { $0.wallet == SampleMonth.slug })
        let proved = try await Export.make().prove(head.anchor)
        #expect(proved.differences == [])
        #expect(proved.heads == [head])
    }

    @Test func `of a wallet without entries begins with zeros`() async throws {
        let export = try await Export.make("main")
        #expect(
            export.text == "# usage entries 1 wallet=main entries=0 head=\(String(repeating: "0", count: 64))\n")
        #expect(try export.prove().differences == [])
    }

    @Test func `is made of the bytes that docs/entry-chain.md describes`() async throws {
        _ = try await SampleMonth()
        let lines = try await Export.make().text.split(separator: "\n").dropFirst().map(String.init)
        let pattern =
            #"^[0-9a-f]{64} \["budget_change", 2, 1, 1, "month", 4200, "2026-04-30T22:00:00", "[-0-9T:.]{19,26}"\]$"#
        #expect(try #require(lines.first).range(of: pattern, options: .regularExpression) != nil, "\(lines[0])")
    }

    @Test func `has its head read from its last link, not from all that are taken apart`() async throws {
        let owner = TestDatabase.current.pool(maximumConnections: 1)
        let plan = try await owner.query(Statement("EXPLAIN\n" + ReportQuery.chainHeads.sql), "main")
            .map { row throws(PostgresError) in try row.decode(at: 0, as: String.self) }
        #expect(
            plan.contains { $0.contains("entry_link") } && !plan.contains { $0.contains("Function Scan") }, "\(plan)")
    }

    @Test func `has each line as json_build_array writes it, whatever is in it`() async throws {
        let owner = TestDatabase.current.pool(maximumConnections: 1)
        let texts = [
            "", "plain", #"q"u\o/t'e"#, "tab\tnew\nline\r\u{1}\u{1F}\u{7F}", "é ü 漢字 \u{1F3AC}\u{2028}", "null", "{}",
            "%s",
        ]
        let moments = [
            "2026-05-31 22:00:00+00", "2024-02-29 12:00:00.5+05:45", "1999-12-31 23:59:59.999999-08", "infinity",
        ]
        let different: Int64 = try await owner.query(
            """
            SELECT count(*) FROM (
                SELECT reservation_line(9223372036854775807, n, id, 1, to_json(text), 2, 42, 84, to_json(at::date),
                        to_json(at AT TIME ZONE 'UTC'), to_json(later AT TIME ZONE 'UTC'))
                    IS DISTINCT FROM json_build_array('reservation', 9223372036854775807, n, id, 1, text, 2, 42, 84, at::date,
                        at AT TIME ZONE 'UTC', later AT TIME ZONE 'UTC')::text
                    OR acceptance_line(1, n, id, text, 42, 0, at, to_json(later AT TIME ZONE 'UTC'))
                    IS DISTINCT FROM json_build_array('acceptance', 1, n, id, text, 42, 0, at AT TIME ZONE 'UTC',
                        later AT TIME ZONE 'UTC')::text
                    OR settlement_line(1, n, id, text, '"person"', 42, 42, 0, -42, text, nullif(text, ''), nullif(text, 'plain'),
                        CASE WHEN n % 2 = 0 THEN jsonb_build_array(text, at) END, at, to_json(later AT TIME ZONE 'UTC'))
                    IS DISTINCT FROM json_build_array('settlement', 1, n, id, text, 'person', 42, 42, 0, -42, text,
                        nullif(text, ''), nullif(text, 'plain'), CASE WHEN n % 2 = 0 THEN jsonb_build_array(text, at) END,
                        at AT TIME ZONE 'UTC', later AT TIME ZONE 'UTC')::text AS differs
                FROM unnest($1::text[]) WITH ORDINALITY AS given (text, n), unnest($2::text[]::timestamptz[]) AS at,
                     unnest($2::text[]::timestamptz[]) AS later, gen_random_uuid() AS id
            ) AS compared WHERE differs
            """, texts, moments)[0].decode(at: 0)
        #expect(different == 0)
    }

    @Test func `does not depend on a session's settings`() async throws {
        _ = try await SampleMonth().lived()
        let odd = TestDatabase.current.pool(
            PostgresConfiguration(
                url: TestDatabase.current.url, role: "usage_report",
                settings: [
                    "TimeZone": "Asia/Kathmandu", "DateStyle": "SQL, DMY", "extra_float_digits": "0",
                    "bytea_output": "escape", "client_encoding": "LATIN1",
                ]))
        #expect(try await Verification.run(on: odd) == [])
    }

    @Test(arguments: ChainTampering.all) func `shows where an entry was changed`(tampering: ChainTampering) async throws
    {
        _ = try await SampleMonth().lived()
        let before = try await Verification.make(on: .reports)
        let anchor = try #require(before.heads.first { $0.wallet == SampleMonth.slug }).anchor
        let owner = TestDatabase.current.pool(maximumConnections: 1)
        let place: Int64 = try await owner.query(Statement(tampering.entry))[0].decode(at: 0)
        try await TestDatabase.current.tamper(tampering.sql)

        let offline = try await Export.make().prove(anchor).differences
        let places = tampering.name == "a row is put in" ? [place + 1] : [place, place + 1]
        func isNamed(_ subject: String) -> Bool {
            places.contains { subject == "entry \($0)" || subject.hasPrefix("entry \($0),") }
        }
        #expect(offline.contains { isNamed($0.subject) }, "\(offline)")
        #expect(offline.count <= 4, "one change does not make everything after it wrong: \(offline)")

        let inDatabase = try await Verification.run(on: .reports)
        if tampering.needsAnchor {
            // Who may rewrite everything leaves books that agree with themselves; the head tells.
            let alone = try await Export.make().prove().differences
            #expect(alone == [])
        } else {
            #expect(inDatabase.contains { $0.rule == "entry_hash" && isNamed($0.subject) }, "\(inDatabase)")
        }
    }

    @Test func `of a file that was cut, garbled or mixed up is not whole`() async throws {
        _ = try await SampleMonth().lived()
        let export = try await Export.make()
        var lines = export.text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        let whole = lines
        lines.removeLast(3)
        #expect(try Export(text: lines.joined(separator: "\n")).prove().differences.map(\.subject) == ["end"])
        lines = whole
        lines.swapAt(5, 6)
        #expect(
            try Export(text: lines.joined(separator: "\n")).prove().differences.contains {
                $0.subject.hasPrefix("entry 6")
            })
        lines = whole
        lines[7] = "not an entry"
        #expect(
            try Export(text: lines.joined(separator: "\n")).prove().differences.contains { $0.subject == "entry 7" })
        #expect(try Export(text: "").prove().differences.map(\.subject) == ["file"])
        #expect(try Export(text: "hello\n").prove().differences.map(\.subject) == ["first line"])
        #expect(throws: ReportError.self) {
            try Export(text: String(repeating: "x", count: EntryChain.maximumLineBytes + 1)).prove()
        }
        #expect(throws: ReportError.self) { try EntryFile.prove("/nowhere/at/all") }
    }
}

/// The file that `usage export` writes.
private struct Export {
    let text: String

    static func make(_ wallet: String = SampleMonth.slug) async throws -> Export {
        let bytes = Mutex<[UInt8]>([])
        _ = try await EntryExport.write(wallet: wallet, from: .reports) { piece in bytes.withLock { $0 += piece } }
        return Export(text: String(decoding: bytes.withLock { $0 }, as: UTF8.self))
    }

    func prove(_ anchor: ChainAnchor? = nil) throws -> Verification {
        let file = FileManager.default.temporaryDirectory.appending(path: "usage-\(UUID().uuidString).entries")
        try Data(text.utf8).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        return try EntryFile.prove(file.path, anchor: anchor)
    }
}
