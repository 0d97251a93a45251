import Foundation
import NIOCore
import Testing

@testable import RivyaClient

private let png: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]
private let jpeg: [UInt8] = [0xFF, 0xD8, 0xFF, 0xE0]
private let webp = Array("RIFF\u{1}\u{2}\u{3}\u{4}WEBPVP8 ".utf8)
private let uploaded = #"{"id":"file_1","url":"https://files.rivya.ai/1","duration_token":"d"}"#

/// Runs with a folder of its own, which is removed afterwards.
private func withFolder<Value>(_ work: (String) async throws -> Value) async throws -> Value {
    let folder = FileManager.default.temporaryDirectory.path + "/upload-\(UInt64.random(in: 0...UInt64.max))"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    let result: Result<Value, any Error>
    do { result = .success(try await work(folder)) } catch { result = .failure(error) }
    try FileManager.default.removeItem(atPath: folder)
    return try result.get()
}

private func write(_ bytes: [UInt8], to path: String) throws -> String {
    try Data(bytes).write(to: URL(filePath: path))
    return path
}

@Suite struct `A reference file` {
    @Test(arguments: [(png, "image/png"), (jpeg, "image/jpeg"), (webp, "image/webp")])
    func `is known by its content`(content: [UInt8], type: String) async throws {
        try await withFolder { folder in
            let file = try ReferenceFile(path: write(content, to: "\(folder)/photo.gif"))
            #expect(file.contentType == type)
            #expect(file.name == "photo.gif")
            #expect(file.size == content.count)
        }
    }

    @Test(arguments: [
        ("GIF89a......", "a GIF image"), ("%PDF-1.7", "a PDF document"),
        ("RIFF1234WAVE", "a RIFF file that is not WebP"),
        ("<svg>", "a text such as SVG or HTML"), ("\0\0\0\u{18}ftypheic", "a HEIC image"),
        ("\0\0\0\u{18}ftypisom", "an MP4 or QuickTime video"), ("x", "of an unknown type"), ("", "empty"),
    ])
    func `is refused by what it is, whatever its name`(content: String, what: String) async throws {
        try await withFolder { folder in
            let path = try write(Array(content.utf8), to: "\(folder)/photo.png")
            let violation = #expect(throws: ContractViolation.self) { try ReferenceFile(path: path) }
            #expect(violation?.value == what)
            #expect(violation?.field == "file photo.png")
        }
    }

    @Test func `has at most 10 MB, or what its model takes`() async throws {
        try await withFolder { folder in
            let largest = try write(png + [UInt8](repeating: 0, count: 10_000_000 - 8), to: "\(folder)/a.png")
            _ = try ReferenceFile(path: largest)
            let larger = try write(png + [UInt8](repeating: 0, count: 10_000_000 - 7), to: "\(folder)/b.png")
            let violation = #expect(throws: ContractViolation.self) { try ReferenceFile(path: larger) }
            #expect(violation?.description == "file b.png has 10000001 bytes; an image has at most 10000000.")
            _ = try ReferenceFile(path: larger, model: "nano-banana-pro")
            #expect(throws: ContractViolation.self) { try ReferenceFile(path: largest, model: "z-image") }
        }
    }

    @Test func `is neither missing nor a folder nor a device`() async throws {
        try await withFolder { folder in
            for (path, value) in [
                ("\(folder)/none.png", "missing"), (folder, "a folder"), ("/dev/null", "not a regular file"),
                ("a\0b", "a path with a zero byte"), ("", "missing"),
            ] {
                let violation = #expect(throws: ContractViolation.self) { try ReferenceFile(path: path) }
                #expect(violation?.value == value)
            }
        }
    }
}

@Suite struct `An upload` {
    @Test func `sends the form byte for byte`() async throws {
        try await withFolder { folder in
            let content = png + (0..<200_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
            let file = try ReferenceFile(path: write(content, to: "\(folder)/my \"fox\" é.png"))
            try await ScriptedServer.run([.cut, .answer(201, uploaded)], retry: .eager()) { client, server in
                let result = try await client.upload(file, model: "kling-v2-5-turbo-pro", clientRequestID: "job-1")
                #expect(result == UploadedFile(url: "https://files.rivya.ai/1", durationToken: "d"))
                #expect(server.requests.count == 2)
                for request in server.requests {
                    #expect(request.line == "POST /api/v1/files HTTP/1.1")
                    #expect(request.header("Authorization") == "Bearer \(sampleKey)")
                    #expect(request.header("Transfer-Encoding") == nil)
                    let type = try #require(request.header("Content-Type"))
                    let boundary = try #require(type.split(separator: "boundary=").last)
                    #expect(type == "multipart/form-data; boundary=\(boundary)")
                    let head = """
                        --\(boundary)\r
                        Content-Disposition: form-data; name="kind"\r
                        \r
                        image\r
                        --\(boundary)\r
                        Content-Disposition: form-data; name="model"\r
                        \r
                        kling-v2-5-turbo-pro\r
                        --\(boundary)\r
                        Content-Disposition: form-data; name="client_request_id"\r
                        \r
                        job-1\r
                        --\(boundary)\r
                        Content-Disposition: form-data; name="file"; filename="my %22fox%22 é.png"\r
                        Content-Type: image/png\r
                        \r

                        """
                    #expect(request.body == Array(head.utf8) + content + Array("\r\n--\(boundary)--\r\n".utf8))
                }
            }
        }
    }

    @Test func `reads the file in pieces`() async throws {
        try await withFolder { folder in
            let path = try write(png + [UInt8](repeating: 7, count: 300_000), to: "\(folder)/a.png")
            let body = MultipartForm().body(
                file: try OpenFile(path: path, name: "a"), name: "a", contentType: "image/png")
            var sizes: [Int] = []
            for try await piece in body { sizes.append(piece.readableBytes) }
            #expect(sizes.max() == 65_536)
            #expect(sizes.reduce(0, +) == body.count)
        }
    }

    @Test func `is not sent for a file that changed since it was checked`() async throws {
        try await withFolder { folder in
            let path = try write(png + [1, 2, 3], to: "\(folder)/a.png")
            let file = try ReferenceFile(path: path)
            try await ScriptedServer.run([.answer(200, uploaded)]) { client, server in
                for content in [png, Array("GIF89a12345".utf8)] {
                    _ = try write(content, to: path)
                    let error = await failure { () throws(RivyaError) in
                        try await client.upload(file, model: nil, clientRequestID: nil)
                    }
                    #expect(error?.attempts == 0)
                    #expect(error?.message.contains("changed") == true)
                }
                #expect(server.requests.isEmpty)
            }
        }
    }

    @Test(arguments: ["{}", #"{"url":""}"#, #"{"url":7}"#, "ok"])
    func `needs an address in the answer`(body: String) async throws {
        try await withFolder { folder in
            let file = try ReferenceFile(path: write(jpeg, to: "\(folder)/a.jpg"))
            try await ScriptedServer.run([.answer(200, body)]) { client, _ in
                let error = await failure { () throws(RivyaError) in try await client.upload(file) }
                #expect(error?.failure == .unreadableAnswer)
            }
        }
    }
}
