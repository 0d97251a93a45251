import Foundation
import Testing

@testable import RivyaClient

@Suite struct `An encoded request` {
    @Test func `is the same bytes for the same value`() {
        let request = GenerationRequest(
            model: "kling-v2-5-turbo-pro", prompt: "a \"fox\"\n/ \\ é 🦊 \u{1}",
            parameters: ["duration": "5", "cfg_scale": 0.7, "aspect_ratio": "1:1", "b": true],
            references: [MediaReference(url: "https://x/1", name: "a.png", mimeType: "image/png")],
            clientRequestID: "job-1")
        #expect(
            String(decoding: request.encoded(), as: UTF8.self) == #"""
                {"client_request_id":"job-1","model":"kling-v2-5-turbo-pro","params":{"aspect_ratio":"1:1","b":true,\#
                "cfg_scale":0.7,"duration":"5","referenceMediaItems":[{"kind":"image","mimeType":"image/png",\#
                "name":"a.png","url":"https://x/1"}]},"prompt":"a \"fox\"\n/ \\ é 🦊 \u0001"}
                """#)
        #expect(request.encoded() == request.encoded())
    }

    @Test func `leaves out what is not set`() {
        let request = GenerationRequest(model: "m", prompt: "p")
        #expect(String(decoding: request.encoded(), as: UTF8.self) == #"{"model":"m","prompt":"p"}"#)
    }

    @Test(arguments: UInt64(0)..<200)
    func `is JSON that reads back as the same value, whatever is in it`(seed: UInt64) throws {
        var generator = SeededGenerator(state: seed)
        let request = GenerationRequest.random(using: &generator)
        // Either it passes or it says why; it never stops the process.
        do { try request.validate() } catch { #expect(!error.description.isEmpty && error.value.count <= 40) }
        let body = try JSONReader.read(request.encoded())
        #expect(body["model"] == .string(request.model))
        #expect(body["prompt"]?.string == request.prompt)
        struct Body: Decodable {
            var params: [String: ParameterValue]?
        }
        if request.references.isEmpty {
            let decoded = try JSONDecoder().decode(Body.self, from: Data(request.encoded()))
            #expect((decoded.params ?? [:]) == request.parameters)
        }
    }

    @Test(arguments: ["0.7", "1e21", "5", "-0.001", "123456789.125", "\"5\"", "true", "\"true\""])
    func `keeps a parameter as it was read`(text: String) throws {
        let value = try JSONDecoder().decode([ParameterValue].self, from: Data("[\(text)]".utf8))
        var writer = JSONWriter()
        writer.value(try #require(value.first))
        let again = try JSONDecoder().decode([ParameterValue].self, from: Data([0x5B] + writer.bytes + [0x5D]))
        #expect(value == again)
    }

    @Test(arguments: ["null", "[]", "{}"])
    func `has no parameter that is not a text, number or truth value`(text: String) {
        #expect(throws: DecodingError.self) {
            try JSONDecoder().decode([ParameterValue].self, from: Data("[\(text)]".utf8))
        }
    }
}

@Suite struct `The JSON reader` {
    @Test(
        arguments: [
            ("42", 42), ("42.0", 42), ("4.2e1", 42), ("420e-1", 42), ("0", 0), ("-0", 0), ("0.000", 0), ("0e999999", 0),
            ("9223372036854775807", .max), ("9223372036854775807.00", .max), ("-9223372036854775808", .min),
            ("1E3", 1000),
        ] as [(String, Int64)])
    func `reads whole numbers exactly`(text: String, number: Int64) throws {
        #expect(try JSONReader.read(Array(text.utf8)).wholeNumber == number)
    }

    @Test(arguments: [
        "42.5", "9223372036854775808", "1e19", "1e-1", "42.00000000000000000000000000000000000000001", "1e400",
        "1e99999999999999999999", "\"42\"", "true", "null", "[42]",
    ])
    func `does not round others`(text: String) throws {
        #expect(try JSONReader.read(Array(text.utf8)).wholeNumber == nil)
    }

    @Test(arguments: [
        "", " ", "{", "[", "\"", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "[1,]", "[1 2]", "01", "1.", ".5", "+1", "-",
        "1e",
        "nul", "truex", "{} {}", "\"\\x\"", "\"\\u12\"", "\"\u{1}\"", "{\"a\":1,\"a\":2}", "NaN", "'a'", "{a:1}",
        String(repeating: "[", count: 100_000),
    ])
    func `refuses what is not JSON`(text: String) {
        #expect(throws: JSONError.self) { try JSONReader.read(Array(text.utf8)) }
    }

    @Test func `refuses what is not UTF-8`() {
        #expect(throws: JSONError.self) { try JSONReader.read([0x22, 0xFF, 0x22]) }
    }

    @Test func `reads escapes`() throws {
        let text = #""\"\\\/\b\f\n\r\t\u00e9\ud83e\udd8a\ud83e""#
        #expect(
            try JSONReader.read(Array(text.utf8)) == .string("\"\\/\u{8}\u{C}\n\r\té🦊\u{FFFD}"))
    }

    @Test(arguments: UInt64(0)..<300)
    func `ends on any bytes`(seed: UInt64) {
        var generator = SeededGenerator(state: seed)
        let alphabet = Array(#"{}[]",:0123456789.-+eE\u truefalsn"#.utf8) + [0xFF, 0xC3]
        let bytes = (0..<Int.random(in: 0...80, using: &generator)).map { _ in
            alphabet.randomElement(using: &generator)!
        }
        _ = try? JSONReader.read(bytes).wholeNumber
    }
}

extension GenerationRequest {
    fileprivate static func random(using generator: inout SeededGenerator) -> GenerationRequest {
        func text(_ generator: inout SeededGenerator) -> String {
            let scalars = (0..<Int.random(in: 0...60, using: &generator)).map { _ in
                Unicode.Scalar(UInt32.random(in: 0...0x2FFF, using: &generator)) ?? "x"
            }
            return String(String.UnicodeScalarView(scalars))
        }
        func value(_ generator: inout SeededGenerator) -> ParameterValue {
            switch Int.random(in: 0..<4, using: &generator) {
            case 0: .bool(Bool.random(using: &generator))
            case 1: .number(Double(Int64.random(in: -(1 << 53)...(1 << 53), using: &generator)))
            case 2: .number(Double.random(in: -1e6...1e6, using: &generator))
            default: .string(text(&generator))
            }
        }
        var request = GenerationRequest(
            model: Bool.random(using: &generator) ? "kling-v2-5-turbo-pro" : text(&generator),
            prompt: Bool.random(using: &generator) ? text(&generator) : nil)
        for _ in 0..<Int.random(in: 0...4, using: &generator) {
            let known = ["duration", "cfg_scale", "aspect_ratio", "negative_prompt"].randomElement(using: &generator)!
            request.parameters[Bool.random(using: &generator) ? known : text(&generator)] = value(&generator)
        }
        for _ in 0..<Int.random(in: 0...3, using: &generator) {
            request.references.append(MediaReference(url: text(&generator), kind: text(&generator)))
        }
        return request
    }
}
