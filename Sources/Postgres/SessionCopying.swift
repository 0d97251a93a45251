import CLibpq
import FailurePoints

extension Session {
    /// Sends a statement that starts a COPY and checks that it goes the expected way.
    private func beginCopy(_ copy: Statement, expecting status: ExecStatusType) throws(PostgresError) {
        try beginWatch(heedsCancellation: true)
        FailurePoint.reach("before \(copy.name)")
        guard PQsendQuery(connection, copy.sql) == 1 else { throw lost() }
        FailurePoint.reach("sent \(copy.name)", beforeDying: handOver)
        guard let result = try nextResult() else { throw lost() }
        defer { PQclear(result) }
        switch PQresultStatus(result) {
        case status: return
        case PGRES_FATAL_ERROR:
            let failure = explain(ServerError(result))
            try drain()
            throw failure
        default:
            abandon()
            throw PostgresError(
                reason: .usage, message: "the statement is not a COPY in the direction that was asked for")
        }
    }

    /// Streams what a COPY … TO STDOUT sends, one row a call; the server waits while the sink works.
    func copyOut(
        _ copy: Statement, to sink: (UnsafeRawBufferPointer) throws(PostgresError) -> Void
    ) throws(PostgresError) -> Int {
        try beginCopy(copy, expecting: PGRES_COPY_OUT)
        defer { endWatch() }
        var refusal: PostgresError?
        while true {
            var buffer: UnsafeMutablePointer<CChar>?
            let length = PQgetCopyData(connection, &buffer, 1)
            if length == 0 {
                if isBroken { throw lost() }
                try waitForServer()
                continue
            }
            guard length > 0 else { break }
            defer { PQfreemem(buffer) }
            progress()
            guard refusal == nil else { continue }
            do throws(PostgresError) {
                try sink(UnsafeRawBufferPointer(start: buffer, count: Int(length)))
                if Task.isCancelled {
                    throw PostgresError(reason: .cancelled, message: "the task was cancelled")
                }
            } catch {
                refusal = error
                requestCancel(error)
            }
        }
        return try end(copy, refusal: refusal)
    }

    /// Streams chunks into a COPY … FROM STDIN; the next chunk is asked for when the system has taken the last.
    func copyIn(
        _ copy: Statement, from next: () throws(PostgresError) -> [UInt8]?
    ) throws(PostgresError) -> Int {
        try beginCopy(copy, expecting: PGRES_COPY_IN)
        defer { endWatch() }
        var refusal: PostgresError?
        do throws(PostgresError) {
            while let chunk = try next() {
                // Without this limit libpq would buffer the whole of a large chunk once more.
                for start in stride(from: 0, to: chunk.count, by: 65_536) {
                    try put(chunk[start..<min(start + 65_536, chunk.count)])
                }
            }
        } catch {
            refusal = error
        }
        guard !isBroken else { throw refusal ?? lost() }
        // With a text the copy fails on the server.
        let ended = refusal == nil ? PQputCopyEnd(connection, nil) : PQputCopyEnd(connection, "given up by the client")
        guard ended == 1 else { throw lost() }
        return try end(copy, refusal: refusal)
    }

    private func put(_ chunk: ArraySlice<UInt8>) throws(PostgresError) {
        if Task.isCancelled { throw PostgresError(reason: .cancelled, message: "the task was cancelled") }
        let queued = chunk.withUnsafeBytes {
            PQputCopyData(connection, $0.bindMemory(to: CChar.self).baseAddress, Int32($0.count))
        }
        guard queued == 1 else { throw lost() }
        try flush()
        progress()
    }

    private func end(_ copy: Statement, refusal: PostgresError?) throws(PostgresError) -> Int {
        var copied = 0
        var failure = refusal
        while let result = try nextResult() {
            defer { PQclear(result) }
            switch PQresultStatus(result) {
            case PGRES_COMMAND_OK: copied = Int(String(cString: PQcmdTuples(result))) ?? 0
            case PGRES_FATAL_ERROR: failure = failure ?? explain(ServerError(result))
            default: break
            }
        }
        FailurePoint.reach("after \(copy.name)")
        if let failure { throw failure }
        return copied
    }

    private func drain() throws(PostgresError) {
        while let result = try nextResult() { PQclear(result) }
        endWatch()
    }
}
