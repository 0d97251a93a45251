import CLibpq

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

extension Session {
    /// Connects, and sets what each session has.
    ///
    /// Blocks for at most the connect timeout for each address of the URL, whatever becomes of the task.
    static func open(_ configuration: PostgresConfiguration, wake: WakePipe) throws(PostgresError) -> Session {
        try configuration.validate()
        // What comes before `dbname` the URL may override, what comes after it not.
        let options = [
            ("fallback_application_name", configuration.applicationName),
            ("connect_timeout", String(max(2, configuration.connectTimeout.wholeSeconds))),
            ("keepalives_idle", "10"), ("keepalives_interval", "5"), ("keepalives_count", "3"),
            // A host that is gone answers nothing, and the system would repeat itself for a quarter of an hour.
            ("tcp_user_timeout", "10000"),
            ("dbname", configuration.url), ("client_encoding", "UTF8"),
        ]
        let connection = connect(options)
        guard let connection else {
            throw PostgresError(reason: .connection, message: "there is no memory for a connection to PostgreSQL")
        }
        let session = Session(connection, wake: wake, configuration: configuration)
        guard PQstatus(connection) == CONNECTION_OK else {
            throw PostgresError(
                reason: .unreachable,
                message: "PostgreSQL cannot be reached, see that it runs: \(failure(of: connection))")
        }
        guard PQserverVersion(connection) >= 150_000 else {
            throw PostgresError(reason: .usage, message: "the server is older than PostgreSQL 15")
        }
        guard PQsetnonblocking(connection, 1) == 0 else { throw session.lost() }
        try session.apply(configuration.sessionSettings)
        return session
    }

    private static func connect(_ options: [(String, String)]) -> OpaquePointer? {
        var keywords: [UnsafePointer<CChar>?] = options.map { UnsafePointer(strdup($0.0)) }
        var values: [UnsafePointer<CChar>?] = options.map { UnsafePointer(strdup($0.1)) }
        defer { for pointer in keywords + values { free(UnsafeMutablePointer(mutating: pointer)) } }
        keywords.append(nil)
        values.append(nil)
        return PQconnectdbParams(keywords, values, 1)
    }

    private static func failure(of connection: OpaquePointer) -> String {
        withoutPassword(
            String(cString: PQerrorMessage(connection)),
            password: PQpass(connection).map { String(cString: $0) } ?? "")
    }

    /// One line, without the password, which no server should repeat but one might.
    ///
    /// Works on bytes: as characters, a password followed by a combining mark would not be found.
    static func withoutPassword(_ text: String, password: String) -> String {
        let safe =
            password.isEmpty
            ? text
            : String(
                decoding: Array(text.utf8).replacing(Array(password.utf8), with: Array("***".utf8)), as: UTF8.self)
        return safe.split(whereSeparator: \.isNewline).map { $0.drop(while: \.isWhitespace) }.joined(separator: "; ")
    }

    private func apply(_ settings: [(name: String, value: String)]) throws(PostgresError) {
        let calls = settings.indices.map { "set_config($\(2 * $0 + 1), $\(2 * $0 + 2), false)" }
        let values = settings.flatMap { [$0.name, $0.value] as [any PostgresEncodable] }
        _ = try run([(Statement("SELECT " + calls.joined(separator: ", ")), BoundParameters(values))])
    }
}
