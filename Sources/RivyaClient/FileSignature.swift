/// What a file is by its first bytes; its name says nothing.
enum FileSignature: Equatable {
    /// A type the provider takes.
    case accepted(contentType: String)
    /// Something else, in words.
    case other(String)

    /// How many bytes are looked at.
    static let length = 16

    static func read(_ bytes: [UInt8]) -> FileSignature {
        if bytes.starts(with: [0xFF, 0xD8, 0xFF]) { return .accepted(contentType: "image/jpeg") }
        if bytes.starts(with: [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]) {
            return .accepted(contentType: "image/png")
        }
        let afterFour = bytes.dropFirst(4)
        let afterEight = bytes.dropFirst(8)
        if bytes.starts(with: "RIFF".utf8), afterEight.starts(with: "WEBP".utf8) {
            return .accepted(contentType: "image/webp")
        }
        if afterFour.starts(with: "ftyp".utf8) {
            let heic = ["heic", "heix", "mif1", "msf1", "hevc"].contains { afterEight.starts(with: $0.utf8) }
            if heic { return .other("a HEIC image") }
            if afterEight.starts(with: "avif".utf8) { return .other("an AVIF image") }
            return .other("an MP4 or QuickTime video")
        }
        return .other(named.first { bytes.starts(with: $0.signature) }?.words ?? "of an unknown type")
    }

    private static let named: [(signature: [UInt8], words: String)] = [
        (Array("GIF8".utf8), "a GIF image"), (Array("BM".utf8), "a BMP image"), (Array("%PDF".utf8), "a PDF document"),
        (Array("RIFF".utf8), "a RIFF file that is not WebP"), ([0x49, 0x49, 0x2A, 0x00], "a TIFF image"),
        ([0x4D, 0x4D, 0x00, 0x2A], "a TIFF image"), ([0x50, 0x4B, 0x03, 0x04], "a ZIP archive"),
        ([0x1F, 0x8B], "a gzip archive"), ([0x1A, 0x45, 0xDF, 0xA3], "a WebM or Matroska video"),
        (Array("<".utf8), "a text such as SVG or HTML"), (Array("ID3".utf8), "an MP3 audio"),
    ]
}
