import Postgres
import UsageReports

/// The head of a wallet's hash chain. Who keeps it elsewhere can tell later whether anything up to it was changed.
public struct ChainHead: Codable, Equatable, Sendable {
    /// The wallet's name.
    public let wallet: String
    /// How many entries there are, which is the newest one's number.
    public let entries: Int64
    /// The newest hash, 64 digits in hexadecimal; zeros where there is no entry.
    public let hash: String

    /// The head as people note it down: `1234:ab12…`.
    public var anchor: ChainAnchor { ChainAnchor(entryNumber: entries, hash: hash) }

    static func all(in transaction: Transaction, wallet: String? = nil) throws(PostgresError) -> [ChainHead] {
        var heads: [ChainHead] = []
        for row in try transaction.query(ReportQuery.chainHeads, wallet) {
            heads.append(
                ChainHead(
                    wallet: try row.decode("wallet"), entries: try row.decode("entries"), hash: try row.decode("hash")))
        }
        return heads
    }
}

/// Every entry of a wallet as a file whose hash chain can be recomputed anywhere; see docs/entry-chain.md.
public enum EntryExport {
    /// The first line of a file, without its end.
    static func header(_ head: ChainHead) -> String {
        "# usage entries 1 wallet=\(head.wallet) entries=\(head.entries) head=\(head.hash)"
    }

    /// Hands out the file of a wallet, piece by piece, from one snapshot.
    ///
    /// - Returns: The head that the file ends with.
    /// - Throws: ``ReportError/unknownWallet(_:)``, or ``ReportError/database(_:)``.
    public static func write(
        wallet: String, from pool: ConnectionPool,
        to sink: @Sendable (UnsafeRawBufferPointer) throws(PostgresError) -> Void
    ) async throws(ReportError) -> ChainHead {
        let head: ChainHead?
        do throws(PostgresError) {
            let options = TransactionOptions(
                isolation: .repeatableRead, readOnly: true, statementTimeout: .seconds(3600))
            head = try await pool.transaction(options) { (transaction) throws(PostgresError) in
                try transaction.waitForMovingRows()
                guard let head = try ChainHead.all(in: transaction, wallet: wallet).first else { return nil }
                let header = Array((header(head) + "\n").utf8)
                let sent: Result<Void, PostgresError> = header.withUnsafeBytes { bytes in
                    Result { () throws(PostgresError) in try sink(bytes) }
                }
                try sent.get()
                // A line holds no control characters, so with these two nothing in it is quoted.
                let copy =
                    "COPY (\(ReportQuery.entries.sql)) TO STDOUT WITH (FORMAT csv, DELIMITER E'\\x01', QUOTE E'\\x02')"
                try transaction.copyOut(Statement(copy, name: ReportQuery.entries.name), to: sink)
                return head
            }
        } catch {
            throw .database(error)
        }
        guard let head else { throw .unknownWallet(wallet) }
        return head
    }
}
