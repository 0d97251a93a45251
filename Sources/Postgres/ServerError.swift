import CLibpq

/// The fields of an error answer that may be kept.
struct ServerError {
    let sqlState: String
    let constraint: String?
    let message: String

    /// Reads a failed result. Detail, hint and context are left out because they quote rows and values.
    init(_ result: OpaquePointer) {
        sqlState = Self.field("C", of: result) ?? "XX000"
        constraint = Self.field("n", of: result)
        message = Self.message(sqlState: sqlState, primary: Self.field("M", of: result))
    }

    var asError: PostgresError {
        PostgresError(reason: .server, sqlState: sqlState, constraint: constraint, message: message)
    }

    /// One of the `PG_DIAG_` fields, named by its letter.
    static func field(_ letter: Unicode.Scalar, of result: OpaquePointer) -> String? {
        PQresultErrorField(result, Int32(letter.value)).map { String(cString: $0) }
    }

    private static func message(sqlState: String, primary: String?) -> String {
        let primary = primary ?? "PostgreSQL refused the statement"
        return switch sqlState {
        case "25006": "the database is read-only now (\(primary)); try again once it takes changes"
        case "53100": "the database's disk is full (\(primary)); make room and try again"
        case "22001": "a text is too long for its column"
        case "22003": "a number is outside the range of its type"
        case "22007", "22008": "a date or time is not valid"
        case "22012": "a division by zero"
        case "22021": "a text is not valid in the database's encoding"
        case "22P02", "22P03": "a value is not written as its type requires"
        // Class 22 quotes the refused value in the primary message itself.
        case let other where other.hasPrefix("22"): "PostgreSQL refused a value"
        default: primary
        }
    }
}
