/// Where the provider is, with which key, and how patient the client is.
public struct RivyaConfiguration: Sendable {
    /// The provider's address, without a trailing slash.
    public let baseURL: String
    /// The account's key, or none: then only ``RivyaClient/models()`` works.
    public var apiKey: APIKey?
    /// The longest one attempt may take, from opening the connection to the last byte of the answer.
    public let requestTimeout: Duration
    /// The same for an upload.
    public let uploadTimeout: Duration
    /// The most requests under way at once; further ones wait in line.
    public let maximumConcurrentRequests: Int
    /// When a failed attempt is made again.
    public var retry: RetryPolicy

    /// Checks the settings, so that a client cannot be made from wrong ones.
    ///
    /// - Parameter baseURL: `https`, or `http` on this machine only (`localhost`, `127.0.0.0/8`, `::1`): the key
    ///   must not cross a network in clear.
    /// - Throws: ``RivyaConfigurationError`` naming the setting and its rule.
    public init(
        baseURL: String = "https://rivya.ai",
        apiKey: APIKey? = nil,
        requestTimeout: Duration = .seconds(30),
        uploadTimeout: Duration = .seconds(120),
        maximumConcurrentRequests: Int = 16,
        retry: RetryPolicy = .standard
    ) throws(RivyaConfigurationError) {
        self.baseURL = try BaseURL.checked(baseURL)
        self.apiKey = apiKey
        guard requestTimeout > .zero, uploadTimeout > .zero else {
            throw RivyaConfigurationError(setting: "timeout", rule: "it must be longer than zero")
        }
        guard (1...1024).contains(maximumConcurrentRequests) else {
            throw RivyaConfigurationError(
                setting: "concurrent requests", rule: "\(maximumConcurrentRequests) is not a number from 1 to 1024")
        }
        self.requestTimeout = requestTimeout
        self.uploadTimeout = uploadTimeout
        self.maximumConcurrentRequests = maximumConcurrentRequests
        self.retry = retry
    }

    /// Reads the key and `RIVYA_BASE_URL`; a variable that is absent or empty counts as not set.
    ///
    /// - Parameter keyVariable: The variable that holds the key, for wallets that have one each.
    /// - Returns: The settings, without a key if there is none.
    /// - Throws: ``RivyaConfigurationError`` naming the variable, never showing the key.
    public static func fromEnvironment(
        _ environment: [String: String], keyVariable: String = "RIVYA_API_KEY"
    ) throws(RivyaConfigurationError) -> RivyaConfiguration {
        var key: APIKey?
        if let secret = environment[keyVariable], !secret.isEmpty {
            do {
                key = try APIKey(secret)
            } catch {
                throw RivyaConfigurationError(setting: keyVariable, rule: error.rule)
            }
        }
        guard let baseURL = environment["RIVYA_BASE_URL"], !baseURL.isEmpty else {
            return try RivyaConfiguration(apiKey: key)
        }
        do {
            return try RivyaConfiguration(baseURL: baseURL, apiKey: key)
        } catch {
            throw RivyaConfigurationError(setting: "RIVYA_BASE_URL", rule: error.rule)
        }
    }
}

/// A setting the client refuses to start with.
public struct RivyaConfigurationError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The setting or environment variable.
    public let setting: String
    /// What is wrong and how to put it right; never holds a key.
    public let rule: String

    /// One sentence naming the setting and what is wrong with it.
    public var description: String { "\(setting) cannot be used: \(rule)." }
}
