import NIOHTTP1
import Testing

@testable import RivyaSandbox

@Suite(.timeLimit(.minutes(10))) struct `Uploading files` {
    private static let png: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A, 0x0D, 0x0A, 0x2D, 0x2D, 0x00]

    @Test func `gives a URL that a generation can use, and the same description later`() async throws {
        try await withSandbox { _, caller async throws in
            let upload = try await caller.upload(Self.png, kind: "image", model: "kling-v2-5-turbo-pro")
            #expect(upload.status == 200)
            #expect(upload.json["mime_type"] == "image/png")
            #expect(upload.json["size_bytes"] == .integer(Self.png.count))
            let url = try #require(upload.json["url"]?.string)
            #expect(try await caller.send(.GET, "/api/v1/files/\(upload.id)").text == upload.text)
            let reply = try await caller.create(
                #"{"model":"kling-v2-5-turbo-pro","prompt":"a","params":{"referenceMediaItems":"#
                    + #"[{"url":"\#(url)","kind":"image","name":"a.png","mimeType":"image/png"}]}}"#)
            #expect(reply.status == 200)
        }
    }

    @Test func `gives videos a duration token`() async throws {
        try await withSandbox { _, caller async throws in
            let upload = try await caller.upload(Array("....ftypisom....".utf8), kind: "video")
            #expect(upload.json["duration_token"]?.string != nil)
        }
    }

    @Test func `goes by the content, not by what it is called`() async throws {
        try await withSandbox { _, caller async throws in
            let bad = [(Array("hello".utf8), "image"), (Self.png, "video"), (Self.png, "document"), ([], "image")]
            for (content, kind) in bad {
                let reply = try await caller.upload(content, kind: kind)
                #expect(reply.status == 400)
                #expect(reply.errorCode == "validation_failed")
            }
        }
    }

    @Test func `takes an image of the largest size and none above`() async throws {
        try await withSandbox { _, caller async throws in
            let largest = Self.png + [UInt8](repeating: 13, count: 10 * 1024 * 1024 - Self.png.count)
            let replies = [
                try await caller.upload(largest, kind: "image"), try await caller.upload(largest + [0], kind: "image"),
            ]
            #expect(replies.map(\.status) == [200, 400])
        }
    }

    @Test func `keeps to the model's kinds`() async throws {
        try await withSandbox { _, caller async throws in
            let video = Array("....ftypisom....".utf8)
            let reply = try await caller.upload(video, kind: "video", model: "kling-v2-5-turbo-pro")
            #expect(reply.errorCode == "validation_failed")
            #expect(try await caller.upload(video, kind: "video", model: "wan-2-6").status == 200)
        }
    }

    @Test func `refuses a broken multipart body`() async throws {
        try await withSandbox { _, caller async throws in
            for body in ["", "--edge", "--edge\r\n\r\n", "--other--\r\n"] {
                let headers = ["Content-Type": "multipart/form-data; boundary=edge"]
                let reply = try await caller.send(.POST, "/api/v1/files", headers, Array(body.utf8))
                #expect(reply.errorCode == "validation_failed")
            }
        }
    }

    private static let starts: [([UInt8], String)] = [
        ([0xFF, 0xD8, 0xFF, 0xE0], "image/jpeg"), (Array("RIFF1234WEBP".utf8), "image/webp"),
        (Array("RIFF1234WAVE".utf8), "audio/wav"), (Array("1234ftypqt  ".utf8), "video/quicktime"),
        (Array("1234ftypM4A ".utf8), "audio/mp4"), ([0x1A, 0x45, 0xDF, 0xA3], "video/webm"),
        (Array("OggS".utf8), "audio/ogg"), (Array("ID3".utf8), "audio/mpeg"), ([0xFF, 0xFB], "audio/mpeg"),
        ([0xFF, 0xF1], "audio/aac"),
    ]

    @Test(arguments: starts)
    func `knows the documented formats by their first bytes`(start: [UInt8], mimeType: String) {
        #expect(FileSignature.mimeType(of: start[...]) == mimeType)
    }
}
