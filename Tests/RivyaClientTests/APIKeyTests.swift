import Testing

@testable import RivyaClient

@Suite struct `An API key` {
    @Test func `shows itself nowhere`() throws {
        let key = try APIKey(sampleKey)
        let configuration = try RivyaConfiguration(apiKey: key)
        var dumped = ""
        dump(key, to: &dumped)
        dump(configuration, to: &dumped)
        dump([Optional(key)], to: &dumped)
        for text in [
            "\(key)", String(reflecting: key), String(describing: configuration), String(reflecting: configuration),
            dumped,
        ] {
            #expect(!text.contains("0123456789"))
        }
        #expect(Mirror(reflecting: key).children.isEmpty)
    }

    @Test(arguments: ["", " ", "a b", "key\n", "key\r\nX-Header: 1", "kéy", "tab\t", "\u{0}", "\u{7F}"])
    func `refuses what would break a header`(secret: String) {
        #expect(throws: RivyaConfigurationError.self) { try APIKey(secret) }
    }

    @Test func `has a bounded length`() throws {
        _ = try APIKey(String(repeating: "k", count: 512))
        #expect(throws: RivyaConfigurationError.self) { try APIKey(String(repeating: "k", count: 513)) }
    }

    @Test func `is not named by the error that refuses it`() {
        let error = #expect(throws: RivyaConfigurationError.self) {
            try RivyaConfiguration.fromEnvironment(["RIVYA_API_KEY": "secret-part with space"])
        }
        #expect(error?.setting == "RIVYA_API_KEY")
        #expect(error.map { "\($0)".contains("secret-part") } == false)
    }

    @Test(arguments: [
        sampleKey, "x\(sampleKey)\u{301}", "rvya_sk_someone-elses_key", "\(sampleKey)\(sampleKey)",
    ])
    func `is taken out of the provider's words`(words: String) throws {
        let clean = Redaction(key: try APIKey(sampleKey)).clean("before \(words) after")
        #expect(!clean.contains("0123456789"))
        #expect(!clean.contains("someone"))
        #expect(clean.unicodeScalars.contains("[redacted]".unicodeScalars))
        #expect(clean.hasSuffix(" after"))
    }

    @Test(arguments: ["plain", "plain word", "a plain", "xplainx"])
    func `is taken out where it is an ordinary word`(words: String) throws {
        let clean = Redaction(key: try APIKey("plain")).clean(words)
        #expect(clean == words.replacing("plain", with: "[redacted]"))
    }

    @Test(arguments: [(4, "word"), (3, "wo…"), (1, "…")])
    func `is not what bounds an ordinary word`(limit: Int, clean: String) throws {
        #expect(Redaction(key: try APIKey(sampleKey)).clean("word", limit: limit) == clean)
    }

    @Test func `leaves bounded words without control characters`() {
        let clean = Redaction(key: nil).clean("a\u{1B}[31m\nb" + String(repeating: "ü", count: 5000))
        #expect(clean.count == 500)
        #expect(clean.hasPrefix("a [31m b"))
    }
}
