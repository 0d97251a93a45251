import Postgres
import RivyaSandbox

/// The rows of some days, table by table.
struct DayRows {
    private let days: [InventedDay]
    private let walletID: Int64
    private let projectIDs: [Int64]
    private let priceIDs: [Int64]

    init(_ days: [InventedDay], walletID: Int64, projectIDs: [Int64], priceIDs: [Int64]) {
        self.days = days
        self.walletID = walletID
        self.projectIDs = projectIDs
        self.priceIDs = priceIDs
    }

    func copy(into transaction: Transaction) throws(PostgresError) {
        try copyTasks(into: transaction)
        try copyEntries(into: transaction)
        try copyTotals(into: transaction)
    }

    private func copyTasks(into transaction: Transaction) throws(PostgresError) {
        try copy(
            "client_request", ["client_request_id", "task_id", "request_sha256", "body"], \.tasks, into: transaction
        ) {
            $0.append(name(of: $1.id))
            $0.append($1.id)
            $0.append(fingerprint(of: $1.id))
            $0.append(InventedModel.all[$1.model].body)
        }
        try copy("client_request", ["client_request_id", "task_id", "request_sha256"], \.refusals, into: transaction) {
            $0.append(name(of: $1.id))
            $0.append($1.id)
            $0.append(fingerprint(of: $1.id))
        }
        try copy(
            "task_work",
            [
                "task_id", "state", "due_at", "attempts", "project_id", "model", "day", "amount_credits",
                "first_sent_at", "accepted_at", "provider_task_id", "reserved_credits",
            ], \.open, into: transaction
        ) {
            let isAccepted = $1.acceptance != 0
            $0.append($1.id)
            $0.append(isAccepted ? "accepted" : "queued")
            $0.append($1.submittedAt + 10_000_000)
            $0.append(Int32(isAccepted ? 1 : 0))
            $0.append(projectIDs[$1.project])
            $0.append(InventedModel.all[$1.model].name)
            $0.append(day(of: $1.submittedAt))
            $0.append($1.credits)
            if isAccepted {
                $0.append($1.submittedAt + 20_000)
                $0.append($1.acceptedAt)
                $0.append(providerTaskID(of: $1.id))
                $0.append($1.credits)
            } else {
                for _ in 1...4 { $0.appendNull() }
            }
        }
    }

    private func copyEntries(into transaction: Transaction) throws(PostgresError) {
        try copy(
            "reservation",
            [
                "task_id", "entry_number", "project_id", "model", "price_id", "amount_credits", "wallet_held_credits",
                "day", "client_request_id", "reserved_at", "recorded_at",
            ], \.tasks, into: transaction
        ) {
            $0.append($1.id)
            $0.append($1.reservation)
            $0.append(projectIDs[$1.project])
            $0.append(InventedModel.all[$1.model].name)
            $0.append(priceIDs[$1.model])
            $0.append($1.credits)
            $0.append($1.walletHeld)
            $0.append(day(of: $1.submittedAt))
            $0.append(name(of: $1.id))
            $0.append($1.submittedAt)
            $0.append($1.submittedAt + 1000)
        }
        try copy(
            "refusal",
            [
                "task_id", "entry_number", "project_id", "model", "amount_credits", "day", "reasons",
                "client_request_id", "refused_at", "recorded_at",
            ], \.refusals, into: transaction
        ) {
            $0.append($1.id)
            $0.append($1.entry)
            $0.append(projectIDs[$1.project])
            $0.append(InventedModel.all[$1.model].name)
            $0.append(InventedModel.all[$1.model].credits)
            $0.append(day(of: $1.at))
            $0.append(json: $1.reasons)
            $0.append(name(of: $1.id))
            $0.append($1.at)
            $0.append($1.at + 1000)
        }
        try copy(
            "acceptance",
            [
                "task_id", "entry_number", "provider_task_id", "held_credits", "reserved_credits", "accepted_at",
                "recorded_at",
            ], \.accepted, into: transaction
        ) {
            $0.append($1.id)
            $0.append($1.acceptance)
            $0.append(providerTaskID(of: $1.id))
            $0.append($1.credits)
            $0.append($1.credits)
            $0.append($1.acceptedAt)
            $0.append($1.acceptedAt + 20_000)
        }
        try copySettlements(into: transaction)
        try copy(
            "wallet_reading",
            [
                "entry_number", "current_credits", "seen_entry_number", "unattributed_credits", "day", "evidence",
                "read_at", "recorded_at",
            ], \.readings, into: transaction
        ) {
            $0.append($1.entry)
            $0.append($1.credits)
            $0.append($1.entry - 1)
            $0.append($1.unattributed)
            $0.append(day(of: $1.at))
            $0.append("provider")
            $0.append($1.at)
            $0.append($1.at + 1000)
        }
    }

    private func copySettlements(into transaction: Transaction) throws(PostgresError) {
        try copy(
            "settlement",
            [
                "task_id", "entry_number", "outcome", "evidence", "reserved_credits", "charged_credits",
                "released_credits", "price_difference_credits", "error_code", "resolved_by", "reason", "result_urls",
                "settled_at", "recorded_at",
            ], \.settled, into: transaction
        ) {
            let isPersons = $1.ending == .personsWord
            $0.append($1.id)
            $0.append($1.settlement)
            $0.append($1.ending == .rejection ? "rejected" : $1.isSuccess ? "succeeded" : "failed")
            $0.append(isPersons ? "person" : "provider")
            $0.append($1.credits)
            $0.append($1.charged)
            $0.append($1.credits - $1.charged)
            $0.append($1.isSuccess ? $1.charged - $1.credits : 0)
            $0.append($1.isSuccess ? nil : $1.ending == .rejection ? "validation_failed" : "generation_failed")
            $0.append(isPersons ? "ann" : nil)
            $0.append(isPersons ? "seen on Rivya" : nil)
            if $1.isSuccess, !isPersons { $0.append(json: resultURLs(of: $1.id)) } else { $0.appendNull() }
            $0.append($1.settledAt)
            $0.append($1.settledAt + 2_000_000)
        }
        try copy(
            "correction",
            [
                "entry_number", "task_id", "reserved_credits", "charged_credits", "released_credits", "reason",
                "corrected_at", "recorded_at",
            ], \.corrected, into: transaction
        ) {
            $0.append($1.correction)
            $0.append($1.id)
            $0.append(Int64(0))
            $0.append($1.credits)
            $0.append(-$1.credits)
            $0.append("the provider says succeeded with final_credits \($1.credits)")
            $0.append($1.correctedAt)
            $0.append($1.correctedAt + 1000)
        }
        try copy(
            "recorded_error",
            [
                "entry_number", "task_id", "act", "attempt", "code", "http_status", "message", "occurred_at",
                "recorded_at",
            ], \.failures, into: transaction
        ) {
            let words = $1.kind.words
            $0.append($1.entry)
            $0.append($1.task)
            $0.append(words.act)
            $0.append(Int32(1))
            $0.append(words.code)
            if let status = words.status { $0.append(status) } else { $0.appendNull() }
            $0.append(words.message)
            $0.append($1.at)
            $0.append($1.at + 1000)
        }
    }

    private func copyTotals(into transaction: Transaction) throws(PostgresError) {
        try copy(
            "day_total",
            [
                "day", "project_id", "model", "tasks", "succeeded", "failed", "refused", "errors", "reserved_credits",
                "charged_credits", "released_credits", "held_credits", "price_difference_credits",
            ], \.totals, into: transaction
        ) {
            $0.append($1.day)
            $0.append(projectIDs[$1.project])
            $0.append(InventedModel.all[$1.model].name)
            for count in [$1.tasks, $1.succeeded, $1.failed, $1.refused, $1.errors] { $0.append(count) }
            for credits in [$1.reserved, $1.charged, $1.released, $1.held, $1.difference] { $0.append(credits) }
        }
        try copy(
            "budget_counter", ["project_id", "period", "starts_on", "held_credits", "charged_credits"], \.counters,
            into: transaction
        ) {
            $0.append(projectIDs[$1.project])
            $0.append($1.period)
            $0.append($1.startsOn)
            $0.append($1.held)
            $0.append($1.charged)
        }
    }

    /// Streams the rows of all days into a table. Every table has the wallet first.
    private func copy<Value>(
        _ table: String, _ columns: [String], _ values: (InventedDay) -> [Value], into transaction: Transaction,
        write: (inout CopyRows, Value) -> Void
    ) throws(PostgresError) {
        var rows = CopyRows()
        var (day, place) = (0, 0)
        var pending: [Value] = []
        var hasBegun = false
        var hasEnded = false
        let names = (["wallet_id"] + columns).joined(separator: ", ")
        let statement = Statement("COPY \(table) (\(names)) FROM STDIN (FORMAT binary)", name: "copy \(table)")
        try transaction.copyIn(statement) { () throws(PostgresError) in
            if hasEnded { return nil }
            if !hasBegun { rows.begin() }
            hasBegun = true
            while !rows.isFull {
                if place == pending.count {
                    guard day < days.count else {
                        rows.end()
                        hasEnded = true
                        break
                    }
                    pending = values(days[day])
                    (day, place) = (day + 1, 0)
                    continue
                }
                rows.row(columns: Int16(columns.count + 1))
                rows.append(walletID)
                write(&rows, pending[place])
                place += 1
            }
            return rows.takePiece()
        }
    }

    private func day(of moment: Int64) -> Int32 { Int32(moment / InventedDay.length) }

    /// The caller's own name for a request: it gave none, so it is the task's id.
    private func name(of id: InventedID) -> [UInt8] { id.digits() }

    private func providerTaskID(of id: InventedID) -> [UInt8] {
        Array("task_".utf8) + id.digits(hyphens: false).suffix(24)
    }

    private func resultURLs(of id: InventedID) -> [UInt8] {
        Array(#"["https://cdn.rivya.ai/results/"#.utf8) + id.digits(hyphens: false) + Array(#".mp4"]"#.utf8)
    }

    /// Bytes in the place of the request's SHA-256.
    private func fingerprint(of id: InventedID) -> [UInt8] {
        var random = SplitMix64(state: id.low)
        return (0..<4).flatMap { _ in withUnsafeBytes(of: random.next(), Array.init) }
    }
}

extension InventedDay {
    fileprivate var accepted: [Task] { tasks.filter { $0.acceptance != 0 } }
    fileprivate var settled: [Task] { tasks.filter { $0.settlement != 0 } }
    fileprivate var corrected: [Task] { tasks.filter { $0.correction != 0 } }
    fileprivate var open: [Task] { tasks.filter { $0.settlement == 0 } }
}

extension InventedDay.Failure.Kind {
    fileprivate var words: (act: String, code: String, status: Int32?, message: String) {
        switch self {
        case .busy: ("create", "rate_limited", 429, "Too many requests, please slow down.")
        case .noAnswer: ("create", "no_answer", nil, "The provider did not answer in time.")
        case .refusedRequest: ("create", "validation_failed", 400, "The prompt was not accepted.")
        case .failedTask: ("task", "generation_failed", nil, "The model could not make the video.")
        }
    }
}
