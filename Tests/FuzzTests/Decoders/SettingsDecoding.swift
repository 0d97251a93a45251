import Foundation

@testable import RivyaClient

extension Decoder {
    /// The API key, the provider's address, and the file that names the private server's process; divided by line ends.
    static let settings = Decoder(name: "settings", maximumBytes: 1024) { bytes in
        let lines = bytes.split(separator: 10, maxSplits: 1, omittingEmptySubsequences: false)
            .map { String(decoding: $0, as: UTF8.self) }
        try holdServerProcess(String(decoding: bytes, as: UTF8.self))
        let (key, url) = (lines[0], lines.count > 1 ? lines[1] : "")
        do {
            let configuration = try RivyaConfiguration.fromEnvironment(["RIVYA_API_KEY": key, "RIVYA_BASE_URL": url])
            try holdAddress(configuration.baseURL)
            try hold(key.isEmpty || configuration.apiKey?.secret == key, "the key is another")
            let shown = "\(configuration) \(String(reflecting: configuration))"
            try hold(
                key.utf8.count < 12 || contains(configuration.baseURL, key) || !contains(shown, key),
                "a description shows the key")
        } catch let error as RivyaConfigurationError {
            try holdSentence("\(error)", atMost: 300)
            // The sentences are ours; sixteen characters in common with one are no accident.
            try hold(key.utf8.count < 16 || !contains("\(error)", key), "an error shows the key")
        }
    }

    /// An address that is taken is read alike by Foundation, and clear text stays on this machine.
    private static func holdAddress(_ address: String) throws {
        guard let url = URL(string: address), let host = url.host() else {
            throw Finding(description: "\(address) is no URL to Foundation")
        }
        try hold(url.user() == nil && url.query() == nil && url.fragment() == nil, "\(address) holds more")
        guard url.scheme?.lowercased() != "https" else { return }
        let numbers = host.split(separator: ".", omittingEmptySubsequences: false).compactMap { UInt8($0) }
        let isLoopback =
            host.lowercased() == "localhost" || host == "::1" || host == "[::1]"
            || (numbers.count == 4 && numbers[0] == 127 && host.allSatisfy { $0.isNumber || $0 == "." })
        try hold(isLoopback, "the key would be sent to \(host) in clear")
    }
}
