import ArgumentParser
import Foundation
import Postgres
import Testing

@testable import RivyaClient
@testable import UsageCommand

/// A size that is taken, and the next one, which is not.
@Suite struct `The limit` {
    private static let task = "019a8f3e-5a00-7c3d-9b1e-2f6a7d8c9b0a"
    private static let price = ["price", "set", "m", "--credits", "1"]

    static let arguments: [(before: [String], option: String, taken: String, refused: String)] = [
        (["wallet", "--set", "1"], "--by", long(200), long(201)),
        (["task", "resolve", task, "--released", "--by", "ann"], "--reason", long(1000), long(1001)),
        (
            ["task", "resolve", task, "--reason", "x", "--by", "ann"], "--charged", "1000000000000000",
            "1000000000000001"
        ),
        (["task", "resolve", task, "--reason", "x", "--by", "ann"], "--charged", "1", "0"),
        (["wallet", "--by", "ann"], "--set", "1000000000000000", "1000000000000001"),
        (["budget", "set", "films"], "--total", "1000000000000000", "1000000000000001"),
        (["wallet", "create", "eu", "--key-variable", "KEY"], "--time-zone", long(64), long(65)),
        (["wallet", "create", "eu"], "--key-variable", long(128, "K"), long(129, "K")),
        (price, "--when", "a=" + long(254), "a=" + long(255)),
        (price, "--from", "2000-01-01T00:00:00Z", "1999-12-31T23:59:59Z"),
        (price, "--from", "9998-12-31T23:59:59Z", "9999-01-01T00:00:00Z"),
        (["price", "set", "m"], "--credits", "1000000000", "1000000001"),
        (["report"], "--month", "2000-01", "1999-12"), (["report"], "--month", "9998-12", "9999-01"),
        (["report"], "--project", long(63), long(64)), (["report"], "--wallet", long(63), long(64)),
        (["tasks"], "--limit", "10000", "10001"), (["tasks"], "--limit", "1", "0"),
        (["sandbox"], "--credits", "1000000000000", "1000000000001"),
        (["sandbox"], "--rate-limit", "1000000", "1000001"), (["sandbox"], "--rate-limit", "1", "0"),
        (["sandbox"], "--host", long(253), long(254)), (["sandbox"], "--port", "65535", "65536"),
        (["worker"], "--concurrency", "1024", "1025"), (["worker"], "--lease", "86400", "86400.5"),
    ]

    @Test(arguments: arguments.indices) func `of an argument has two sides`(_ place: Int) throws {
        let (before, option, taken, refused) = Self.arguments[place]
        #expect(throws: Never.self, "\(option)") { _ = try UsageCommand.parseAsRoot(before + ["\(option)=\(taken)"]) }
        let error = #expect(throws: (any Error).self, "\(option)") {
            _ = try UsageCommand.parseAsRoot(before + ["\(option)=\(refused)"])
        }
        let text = error.map { UsageCommand.text(for: $0) } ?? ""
        #expect(text.hasPrefix("Error: ") && text.utf8.count < 700, "\(text)")
    }

    @Test func `of a line of tasks is a MiB`() throws {
        let least = Array(#"{"project":"films","prompt":"x"}"#.utf8)
        let spaces = [UInt8](repeating: 0x20, count: TaskFile.maximumLineBytes - least.count)
        #expect(try TaskFile.line(least + spaces, project: nil, model: "m").project == "films")
        #expect(throws: Mistake.self) { _ = try TaskFile.line(least + spaces + [0x20], project: nil, model: "m") }
    }

    @Test func `of parameters and references holds for models without a contract`() throws {
        let values = { (count: Int) in
            Dictionary(uniqueKeysWithValues: (0..<count).map { ("p\($0)", ParameterValue.bool(true)) })
        }
        let files = { (count: Int) in (0..<count).map { MediaReference(url: "https://x/\($0)") } }
        try GenerationRequest(model: "new", prompt: "x", parameters: values(64), references: files(64)).validate()
        #expect(throws: ContractViolation.self) {
            try GenerationRequest(model: "new", prompt: "x", parameters: values(65)).validate()
        }
        #expect(throws: ContractViolation.self) {
            try GenerationRequest(model: "new", prompt: "x", references: files(65)).validate()
        }
    }

    @Test func `of an upload's answer is what can be sent back`() throws {
        let reader = AnswerReader(redaction: Redaction(key: nil))
        let read = { (url: Int, token: Int) throws(AnswerProblem) -> UploadedFile in
            let address = "https://" + Self.long(url - 8)
            let body = Array(#"{"url": "\#(address)", "duration_token": "\#(Self.long(token))"}"#.utf8)
            return try reader.uploadedFile(Answer(status: 200, retryAfter: nil, body: body))
        }
        #expect(try read(4096, 4096).url.utf8.count == 4096)
        #expect(throws: AnswerProblem.self) { _ = try read(4097, 1) }
        #expect(throws: AnswerProblem.self) { _ = try read(100, 4097) }
    }

    @Test func `of DATABASE_URL is 8192 bytes`() throws {
        let url = "postgresql://127.0.0.1/"
        try PostgresConfiguration(url: url + Self.long(8192 - url.utf8.count)).validate()
        #expect(throws: PostgresError.self) {
            try PostgresConfiguration(url: url + Self.long(8193 - url.utf8.count)).validate()
        }
    }

    @Test func `of a multipart body is 16 fields and a boundary of 70 bytes`() throws {
        let fields = { (count: Int, boundary: String) in
            let names = (0..<count).map { "--\(boundary)\r\nContent-Disposition: form-data; name=f\($0)\r\n\r\nx\r\n" }
            return SandboxReading.fields(
                of: Array((names.joined() + "--\(boundary)--\r\n").utf8),
                contentType: "multipart/form-data; boundary=\(boundary)")
        }
        #expect(try fields(16, Self.long(70)).get().count == 16)
        #expect(throws: SandboxReading.Refused.self) { try fields(17, "edge").get() }
        #expect(throws: SandboxReading.Refused.self) { try fields(1, Self.long(71)).get() }
    }

    @Test func `of a text keeps no part of a key that it cuts in two`() throws {
        let key = try APIKey(String(repeating: "Zq7~", count: 128))
        let text = String(repeating: key.secret + " ", count: 20)
        let clean = Redaction(key: key).clean(text)
        #expect(!clean.contains("Zq7~"), "\(clean)")
        #expect(clean.hasPrefix("[redacted] [redacted]"))
    }

    private static func long(_ count: Int, _ letter: String = "x") -> String { String(repeating: letter, count: count) }
}
