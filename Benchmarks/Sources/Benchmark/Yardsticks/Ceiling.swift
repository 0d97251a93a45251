import Foundation
import Postgres

/// The most that the database gives at a batch size: our own statements with equal content, from pgbench clients that
/// route no answers.
///
/// All arrays are constants but the ids, the projects and what has the ids in it. Making those is measured apart and taken off.
struct Ceiling: Sendable {
    /// What is done with all tasks of a batch, in one transaction.
    enum Act {
        case reserve, accept
        case settle(leaseToken: Int)
    }

    let books: OurBooks
    private let reserves: Bool
    private let settles: Bool
    private let calls: Pgbench
    private let arraysAlone: Pgbench

    /// - Parameter acts: What an operation is, one after the other.
    init(of acts: [Act], _ books: OurBooks, clients: Int = 1) throws {
        self.books = books
        reserves = acts.contains { if case .reserve = $0 { true } else { false } }
        settles = acts.contains { if case .settle = $0 { true } else { false } }
        let statements = acts.map { act in
            switch act {
            case .reserve: Self.reserve(books)
            case .accept: Self.accept(books)
            case .settle(let leaseToken): Self.settle(books, leaseToken: leaseToken)
            }
        }
        let made = "FROM (\(Self.arrays(projects: books.projects.count))) AS made"
        let begin = "\\set turn :turn + 1\n"
        calls = try Pgbench(
            begin
                + statements.map { "SELECT answer.* \(made), \($0.call) AS answer;\n" }.joined(),
            clients: clients, on: books.database)
        arraysAlone = try Pgbench(
            begin
                + statements.map { statement in
                    "SELECT \(statement.arrays.map { "cardinality(\($0))" }.joined(separator: ", ")) \(made);\n"
                }.joined(), clients: clients, on: books.database)
    }

    /// Ids of this month that rise as those of version 7 do, and are there once each: the turn counts on from what the caller gives, in
    /// seven digits, for each client apart. Projects are all others in a batch, up to their number.
    private static func arrays(projects: Int) -> String {
        // The first 32 of the 48 bits in which an id says when it was made, in milliseconds.
        let moment = String(format: "%08x", Int(Date().timeIntervalSince1970 * 1000) >> 16)
        return """
            SELECT array_agg(text::uuid) AS uuids, array_agg(text) AS texts, array_agg('vid_' || text) AS provider_ids,
                   array_agg(jsonb_build_array('https://cdn.rivya.ai/' || text || '.mp4')) AS urls,
                   array_agg('project-' || project) FILTER (WHERE n <= \(projects)) AS projects,
                   array_agg((n - 1) % \(projects) + 1) AS places
            FROM (SELECT n, '\(moment)-' || left(turn, 4) || '-7000-8' || right(turn, 3) || '-' || to_char(n, 'FM000000000000') AS text,
                         (:turn::bigint * :batch::bigint + n) * 919 % \(projects) + 1 AS project
                  FROM lpad(to_hex(:turn::int + :client_id * 400000), 7, '0') AS turn, generate_series(1, :batch::int) AS n) AS made
            """
    }

    private typealias Statement = (call: String, arrays: [String])

    private static func reserve(_ books: OurBooks) -> Statement {
        let body = String(decoding: OurBooks.body, as: UTF8.self)
        let isOne = books.projects.count == 1
        let call = """
            reserve(\(books.ledger.wallet.id)::bigint, \(isOne ? "ARRAY['\(books.projects[0])']" : "made.projects"),
                ARRAY['\(OurBooks.model)'], ARRAY['{"aspect_ratio":"16:9","duration":"5"}'::jsonb],
                \(isOne ? filled("1") : "made.places"), \(filled("1")), made.uuids, made.texts,
                \(filled("sha256('\(body)')")), \(filled("'\(body)'::bytea")), \(filled("now()")))
            """
        return (call, ["uuids", "texts"] + (isOne ? [] : ["projects", "places"]))
    }

    private static func accept(_ books: OurBooks) -> Statement {
        let call = """
            accept(\(books.ledger.wallet.id)::bigint, made.uuids, made.provider_ids, \(filled("\(OurBooks.price)::bigint")),
                \(filled("now()")), \(filled("now() + interval '10 s'")))
            """
        return (call, ["uuids", "provider_ids"])
    }

    private static func settle(_ books: OurBooks, leaseToken: Int) -> Statement {
        let nothing = filled("NULL::text")
        let lease = filled("\(leaseToken)::bigint")
        let call = """
            settle(\(books.ledger.wallet.id)::bigint, made.uuids, \(lease), \(filled("'succeeded'::text")),
                \(filled("\(OurBooks.price)::bigint")), \(nothing), made.urls, \(nothing), \(nothing), \(filled("now()")),
                \(filled("NULL::timestamptz")))
            """
        return (call, ["uuids", "urls"])
    }

    private static func filled(_ value: String) -> String { "array_fill(\(value), ARRAY[:batch::int])" }

    /// One round; the turns of each must not overlap.
    ///
    /// - Parameter turns: How many batches, if not for the time of the round.
    func run(_ round: Stage.Round, batch: Int, turns: Int? = nil) async throws -> Sample {
        let variables = ["batch": batch, "turn": round.number * 2_000_000]
        var sample = try await calls.run(
            seconds: round.seconds, variables: variables, turns: turns, operationsEach: batch)
        if reserves { books.count(reserved: sample.operations) }
        if settles { books.count(settled: sample.operations) }
        let making = try await arraysAlone.run(seconds: 1, variables: variables)
        let share = making.seconds / Double(making.operations) * Double(sample.operations / batch)
        sample.seconds -= min(share, sample.seconds / 2)
        sample.groupSize = batch
        return sample
    }
}
