import CLibpq

/// The answer to a statement: its rows, copied out of libpq into one buffer.
public struct Rows: RandomAccessCollection, Sendable {
    /// The names of the columns, in order.
    public let columnNames: [String]
    /// How many rows the statement returned, added, changed or deleted.
    public let affectedRows: Int
    /// What was done, such as `INSERT`; `ROLLBACK` where a commit was asked for and could not be.
    let command: String

    let columnTypes: [PostgresType]
    private let rowCount: Int
    private let bytes: [UInt8]
    // Where each value ends; a NULL takes no bytes and is marked apart.
    private let ends: [Int]
    private let isNull: [Bool]

    /// The position of the first row.
    public var startIndex: Int { 0 }
    /// The position after the last row.
    public var endIndex: Int { rowCount }
    /// The row at a position.
    public subscript(position: Int) -> Row {
        precondition(position >= 0 && position < rowCount, "there is no such row")
        return Row(rows: self, index: position)
    }

    /// Copies a result.
    init(_ result: OpaquePointer) {
        let columns = PQnfields(result)
        let rows = PQntuples(result)
        columnNames = (0..<columns).map { String(cString: PQfname(result, $0)) }
        columnTypes = (0..<columns).map { PostgresType(oid: PQftype(result, $0)) }
        rowCount = Int(rows)
        command = String(String(cString: PQcmdStatus(result)).prefix { $0 != " " })
        affectedRows = Int(String(cString: PQcmdTuples(result))) ?? 0
        var bytes: [UInt8] = []
        var ends: [Int] = []
        var isNull: [Bool] = []
        ends.reserveCapacity(Int(rows * columns))
        isNull.reserveCapacity(Int(rows * columns))
        for row in 0..<rows {
            for column in 0..<columns {
                let null = PQgetisnull(result, row, column) == 1
                if !null {
                    let length = Int(PQgetlength(result, row, column))
                    bytes.append(
                        contentsOf: UnsafeRawBufferPointer(
                            start: PQgetvalue(result, row, column), count: length))
                }
                ends.append(bytes.count)
                isNull.append(null)
            }
        }
        self.bytes = bytes
        self.ends = ends
        self.isNull = isNull
    }

    fileprivate func decode<T: PostgresDecodable>(row: Int, column: Int) throws(PostgresError) -> T {
        let cell = row * columnNames.count + column
        let type = columnTypes[column]
        do throws(PostgresError) {
            guard !isNull[cell] else { return try T.decode(nil, type: type) }
            let range = (cell == 0 ? 0 : ends[cell - 1])..<ends[cell]
            return try bytes.withUnsafeBufferPointer { (all) throws(PostgresError) in
                try T.decode(UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: all[range])), type: type)
            }
        } catch {
            throw PostgresError(reason: error.reason, message: "column \"\(columnNames[column])\": \(error.message)")
        }
    }
}

/// One row of an answer.
public struct Row: Sendable {
    fileprivate let rows: Rows
    fileprivate let index: Int

    /// Reads the first column with a name.
    ///
    /// - Throws: A ``PostgresError`` with the reason `decoding`, which names the column, the wanted and the found type.
    public func decode<T: PostgresDecodable>(
        _ column: String, as type: T.Type = T.self
    ) throws(PostgresError) -> T {
        guard let position = rows.columnNames.firstIndex(of: column) else {
            throw PostgresError(reason: .decoding, message: "there is no column \"\(column)\"")
        }
        return try rows.decode(row: index, column: position)
    }

    /// Reads the column at a position, counted from 0.
    ///
    /// - Throws: A ``PostgresError`` with the reason `decoding`, which names the column, the wanted and the found type.
    public func decode<T: PostgresDecodable>(
        at position: Int, as type: T.Type = T.self
    ) throws(PostgresError) -> T {
        guard rows.columnNames.indices.contains(position) else {
            throw PostgresError(reason: .decoding, message: "there is no column at position \(position)")
        }
        return try rows.decode(row: index, column: position)
    }
}
