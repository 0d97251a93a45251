import Testing

@testable import RivyaClient

@Suite struct `A configuration` {
    @Test(arguments: [
        "https://rivya.ai", "https://rivya.ai/", "HTTPS://rivya.ai:8443/prefix/", "http://localhost:8080",
        "http://127.0.0.1", "http://127.9.9.9:1", "http://[::1]:8080",
    ])
    func `takes https, or http on this machine`(url: String) throws {
        let configuration = try RivyaConfiguration(baseURL: url)
        #expect(!configuration.baseURL.hasSuffix("/"))
    }

    @Test(arguments: [
        "", "rivya.ai", "ftp://rivya.ai", "http://rivya.ai", "http://127.example.com", "http://localhost.example.com",
        "http://127.0.0.1@example.com", "https://user:secret@rivya.ai", "https://rivya.ai?x=1", "https://rivya.ai#x",
        "https://", "https://:443", "https://rivya.ai:0", "https://rivya.ai:65536", "https://rivya.ai:80:80",
        "https://riv ya.ai", "https://rivya.ai\n", "http://[::2]", "http://0.0.0.0", "http://10.0.0.1", "http://[::1",
        "http://127.0.0.1.", "http://2130706433", "https://rivya.ai\\@example.com",
    ])
    func `refuses every other address`(url: String) {
        #expect(throws: RivyaConfigurationError.self) { try RivyaConfiguration(baseURL: url) }
    }

    @Test func `comes from the environment`() throws {
        let configuration = try RivyaConfiguration.fromEnvironment(
            ["RIVYA_BASE_URL": "http://localhost:9", "OTHER_KEY": sampleKey], keyVariable: "OTHER_KEY")
        #expect(configuration.baseURL == "http://localhost:9")
        #expect(try configuration.apiKey == APIKey(sampleKey))
    }

    @Test(arguments: [[:], ["RIVYA_API_KEY": "", "RIVYA_BASE_URL": ""]])
    func `has the documented defaults when nothing is set`(environment: [String: String]) throws {
        let configuration = try RivyaConfiguration.fromEnvironment(environment)
        #expect(configuration.baseURL == "https://rivya.ai")
        #expect(configuration.apiKey == nil)
    }

    @Test func `names the variable that is wrong`() {
        let error = #expect(throws: RivyaConfigurationError.self) {
            try RivyaConfiguration.fromEnvironment(["RIVYA_BASE_URL": "http://rivya.ai"])
        }
        #expect(error?.setting == "RIVYA_BASE_URL")
        #expect(error?.rule.contains("use https") == true)
    }

    @Test func `has timeouts and a concurrency within bounds`() throws {
        _ = try RivyaConfiguration(requestTimeout: .nanoseconds(1), maximumConcurrentRequests: 1)
        #expect(throws: RivyaConfigurationError.self) { try RivyaConfiguration(requestTimeout: .zero) }
        #expect(throws: RivyaConfigurationError.self) { try RivyaConfiguration(uploadTimeout: .seconds(-1)) }
        #expect(throws: RivyaConfigurationError.self) { try RivyaConfiguration(maximumConcurrentRequests: 0) }
        #expect(throws: RivyaConfigurationError.self) { try RivyaConfiguration(maximumConcurrentRequests: 1025) }
    }
}
