import CLibpq

/// How to reach a database, and the bounds of what a pool does there.
public struct PostgresConfiguration: Sendable, CustomStringConvertible, CustomReflectable {
    /// A connection URL in libpq's form; several hosts, TLS and `target_session_attrs` are libpq's own.
    public var url: String
    /// The name shown in `pg_stat_activity`, unless the URL has one.
    public var applicationName: String
    /// The role taken on after connecting.
    public var role: String?
    /// How long one address may take to connect, in whole seconds of at least two; the URL may say otherwise.
    public var connectTimeout: Duration
    /// How long one statement may run. Zero means without end.
    public var statementTimeout: Duration
    /// How long the server may be silent past a statement's end before it is asked to cancel, and then again before
    /// the connection is given up.
    public var grace: Duration
    /// The most connections the pool opens.
    public var maximumConnections: Int
    /// How long a caller waits for a connection.
    public var acquireTimeout: Duration
    /// The most callers that wait for a connection at once; one more is refused.
    public var maximumWaiting: Int
    /// Further settings of each session, such as `["work_mem": "64MB"]`.
    public var settings: [String: String]

    /// Makes a configuration; all but the URL have defaults.
    public init(
        url: String, applicationName: String = "usage", role: String? = nil,
        connectTimeout: Duration = .seconds(3), statementTimeout: Duration = .seconds(30),
        grace: Duration = .seconds(2), maximumConnections: Int = 4, acquireTimeout: Duration = .seconds(10),
        maximumWaiting: Int = 20_000, settings: [String: String] = [:]
    ) {
        self.url = url
        self.applicationName = applicationName
        self.role = role
        self.connectTimeout = connectTimeout
        self.statementTimeout = statementTimeout
        self.grace = grace
        self.maximumConnections = maximumConnections
        self.acquireTimeout = acquireTimeout
        self.maximumWaiting = maximumWaiting
        self.settings = settings
    }

    /// The application's name; never the URL, which may hold a password.
    public var description: String { "PostgresConfiguration(\(applicationName))" }

    /// Nothing but the application's name, so that dumping the value shows no password either.
    public var customMirror: Mirror { Mirror(self, children: ["applicationName": applicationName]) }

    /// Checks that libpq can read the URL.
    ///
    /// - Throws: A ``PostgresError`` with the reason `usage`, which does not repeat the URL.
    public func validate() throws(PostgresError) {
        guard url.utf8.count <= Self.maximumURLBytes else {
            throw PostgresError(
                reason: .usage,
                message: "DATABASE_URL is longer than \(Self.maximumURLBytes) bytes; write only what is needed")
        }
        guard !url.isEmpty, !url.utf8.contains(0), let options = PQconninfoParse(url, nil) else {
            throw PostgresError(
                reason: .usage,
                message: "DATABASE_URL cannot be parsed; write it as postgresql://user:password@host:5432/database")
        }
        PQconninfoFree(options)
        guard !hasAmbiguousPassword else {
            throw PostgresError(
                reason: .usage,
                message: "DATABASE_URL cannot be told apart; in user and password write @ as %40, / as %2F and ? as %3F"
            )
        }
    }

    /// The longest URL, in bytes.
    private static let maximumURLBytes = 8192

    /// Whether libpq might take a part of the password for a host, a port or a database, and then name it in an error.
    ///
    /// It ends the password at the first `@`, and takes what comes before a `/` or `?` for a host.
    private var hasAmbiguousPassword: Bool {
        // By bytes: as characters, a slash followed by a combining mark would not be found.
        let schemes = ["postgresql://", "postgres://"]
        guard let scheme = schemes.first(where: { url.utf8.starts(with: $0.utf8) }) else { return false }
        let bytes = url.utf8.dropFirst(scheme.utf8.count)
        guard let at = bytes.firstIndex(of: UInt8(ascii: "@")) else { return false }
        let user = bytes[..<at]
        return bytes[bytes.index(after: at)...].contains(UInt8(ascii: "@"))
            || user.contains(UInt8(ascii: "/")) || user.contains(UInt8(ascii: "?"))
    }

    /// What is set in each session, over the defaults that make answers the same on every server.
    var sessionSettings: [(name: String, value: String)] {
        var all = ["TimeZone": "UTC", "DateStyle": "ISO, YMD", "IntervalStyle": "iso_8601"]
        // For what runs without a BEGIN that says so.
        all["default_transaction_isolation"] = "read committed"
        all["statement_timeout"] = String(statementTimeout.wholeMilliseconds)
        all.merge(settings) { $1 }
        // The role comes last: it may not be allowed to change the others.
        return all.sorted { $0.key < $1.key }.map { ($0.key, $0.value) } + (role.map { [("role", $0)] } ?? [])
    }
}

extension Duration {
    /// Milliseconds, rounded up and never below zero.
    var wholeMilliseconds: Int64 {
        let (seconds, attoseconds) = components
        return max(0, seconds * 1000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000)
    }

    /// Seconds, rounded up and never below zero.
    var wholeSeconds: Int64 { (wholeMilliseconds + 999) / 1000 }
}
