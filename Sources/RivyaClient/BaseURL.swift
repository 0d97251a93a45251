/// The rules for the address that the key is sent to.
enum BaseURL {
    private static let setting = "base URL"

    /// The address without trailing slashes.
    static func checked(_ text: String) throws(RivyaConfigurationError) -> String {
        guard text.utf8.count <= 2048, text.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw RivyaConfigurationError(
                setting: setting, rule: "it may hold only visible ASCII characters, at most 2048 of them")
        }
        let secure = text.lowercased().hasPrefix("https://")
        guard secure || text.lowercased().hasPrefix("http://") else {
            throw RivyaConfigurationError(setting: setting, rule: "it must begin with https://, as in https://rivya.ai")
        }
        let rest = text.dropFirst(secure ? 8 : 7)
        guard !rest.contains(where: { "@?#\\\"<>".contains($0) }) else {
            throw RivyaConfigurationError(
                setting: setting, rule: "it may not hold a user name, a query or a fragment; write only host and port")
        }
        let authority = rest.prefix { $0 != "/" }
        guard let host = host(of: authority) else {
            throw RivyaConfigurationError(
                setting: setting, rule: "its host or port cannot be read; write it as https://rivya.ai")
        }
        guard secure || isLoopback(host) else {
            throw RivyaConfigurationError(
                setting: setting,
                rule: "http is for this machine only (localhost, 127.0.0.1, [::1]); the key would be sent in clear, "
                    + "so use https")
        }
        var path = rest.dropFirst(authority.count)
        while path.last == "/" { path.removeLast() }
        return (secure ? "https://" : "http://") + authority + path
    }

    /// The host, or nothing if host or port is malformed. An IPv6 host comes without its brackets.
    private static func host(of authority: Substring) -> Substring? {
        var host = authority
        var port: Substring?
        if authority.first == "[" {
            guard let end = authority.firstIndex(of: "]") else { return nil }
            host = authority[authority.index(after: authority.startIndex)..<end]
            let after = authority[authority.index(after: end)...]
            guard after.isEmpty || after.first == ":" else { return nil }
            if !after.isEmpty { port = after.dropFirst() }
            guard !host.isEmpty, host.allSatisfy({ $0.isHexDigit || $0 == ":" || $0 == "." }) else { return nil }
        } else {
            if let colon = authority.firstIndex(of: ":") {
                host = authority[..<colon]
                port = authority[authority.index(after: colon)...]
            }
            let allowed = { (character: Character) in
                character.isLetter || character.isNumber || character == "." || character == "-"
            }
            guard let first = host.first, first != ".", first != "-", host.allSatisfy(allowed) else { return nil }
        }
        if let port {
            guard port.allSatisfy(\.isNumber), let number = Int(port), (1...65535).contains(number) else { return nil }
        }
        return host
    }

    private static func isLoopback(_ host: Substring) -> Bool {
        if host.lowercased() == "localhost" || host == "::1" { return true }
        // Every part is a number: 127.example.com is somebody's machine.
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127"
            && parts.allSatisfy { $0.allSatisfy(\.isNumber) && UInt8($0) != nil }
    }
}
