import Crypto

/// One numbered step of the schema, a file such as `0001_wallet.sql`.
public struct Migration: Hashable, Sendable {
    /// Its place in the order, from 1.
    public let number: Int
    /// The name of its file.
    public let name: String
    /// What it runs, in UTF-8: many statements, none of which ends the transaction. Bytes, as every start of a program compares all of
    /// them with what the database has, and runs none.
    public let sql: [UInt8]

    /// SHA-256 of the file.
    var checksum: [UInt8] { Array(SHA256.hash(data: sql)) }

    /// Reads the number from the file's name: four digits, then an underscore.
    ///
    /// - Throws: A ``PostgresError`` with the reason `usage` if the name is not of that form.
    public init(fileName: String, sql: [UInt8]) throws(PostgresError) {
        let digits = fileName.prefix { $0.isASCII && $0.isNumber }
        guard digits.count == 4, let number = Int(digits), number >= 1, fileName.dropFirst(4).first == "_",
            fileName.hasSuffix(".sql")
        else {
            throw PostgresError(
                reason: .usage, message: "'\(fileName)' is not a migration; name it as 0001_wallet.sql")
        }
        self.number = number
        name = fileName
        self.sql = sql
    }
}
