import CLibpq

@testable import Postgres

extension Decoder {
    /// `DATABASE_URL`: refused in one sentence that repeats nothing of it, or with all of its password where libpq keeps
    /// passwords, so that no error names a part of it as a host, a port or a database.
    ///
    /// The input is a whole URL, or a user, a password and the rest of a URL, divided by line ends.
    static let databaseURL = Decoder(name: "database-url", maximumBytes: 1024) { bytes in
        let text = String(decoding: bytes, as: UTF8.self)
        _ = try password(in: text)
        let parts = bytes.split(separator: 10, maxSplits: 2, omittingEmptySubsequences: false)
            .map { String(decoding: $0, as: UTF8.self) }
        // A byte: a colon with a combining mark behind it is another character, and ends the user all the same.
        guard parts.count == 3, !parts[0].isEmpty, !parts[0].utf8.contains(UInt8(ascii: ":")) else { return }
        let (user, secret, rest) = (parts[0], parts[1], parts[2])
        guard let read = try password(in: "postgresql://\(user):\(secret)@\(rest)") else { return }
        // The rest may set it again, as it may any option.
        guard !contains(rest, "password") else { return }
        try hold(read == bytesOfPercentDecoded(secret), "of the password only \(read.count) bytes are taken for it")
    }

    private static let sentences: Set<String> = [
        "DATABASE_URL cannot be parsed; write it as postgresql://user:password@host:5432/database",
        "DATABASE_URL cannot be told apart; in user and password write @ as %40, / as %2F and ? as %3F",
        "DATABASE_URL is longer than 8192 bytes; write only what is needed",
    ]

    /// The password that libpq reads, or nothing if the URL is refused.
    private static func password(in url: String) throws -> [UInt8]? {
        let configuration = PostgresConfiguration(url: url)
        try hold("\(configuration)" == "PostgresConfiguration(usage)", "a description shows the URL")
        var dumped = ""
        dump(configuration, to: &dumped)
        try hold(url.utf8.count < 12 || !contains(dumped, url), "a dump shows the URL")
        do throws(PostgresError) {
            try configuration.validate()
        } catch {
            try hold(error.reason == .usage && sentences.contains(error.message), "another sentence: \(error.message)")
            return nil
        }
        try hold(!url.utf8.contains(0) && url.utf8.count <= 8192, "it is taken")
        guard let options = PQconninfoParse(url, nil) else { throw Finding(description: "libpq cannot read it") }
        defer { PQconninfoFree(options) }
        var option = options
        var found: [UInt8] = []
        while let keyword = option.pointee.keyword {
            if String(cString: keyword) == "password", let value = option.pointee.val {
                found = Array(String(cString: value).utf8)
            }
            option += 1
        }
        let message = "no password for \(String(decoding: found, as: UTF8.self)): wrong password"
        let safe = Session.withoutPassword(message, password: String(decoding: found, as: UTF8.self))
        if found.count >= 12 { try hold(!contains(safe, String(decoding: found, as: UTF8.self)), "it is shown") }
        return found
    }

    private static func bytesOfPercentDecoded(_ text: String) -> [UInt8] {
        var bytes = Array(text.utf8)[...]
        var decoded: [UInt8] = []
        while let first = bytes.popFirst() {
            let digits = bytes.prefix(2).compactMap { Character(UnicodeScalar($0)).hexDigitValue }
            if first == UInt8(ascii: "%"), digits.count == 2 {
                decoded.append(UInt8(digits[0] * 16 + digits[1]))
                bytes = bytes.dropFirst(2)
            } else {
                decoded.append(first)
            }
        }
        // libpq hands over bytes; ours pass through a String.
        return Array(String(decoding: decoded, as: UTF8.self).utf8)
    }
}
