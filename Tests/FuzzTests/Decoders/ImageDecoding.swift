@testable import RivyaClient

extension Decoder {
    /// What a file is by its first bytes: the client and the sandbox agree on images.
    static let image = Decoder(name: "image", maximumBytes: 32) { bytes in
        let ours = FileSignature.read(Array(bytes.prefix(FileSignature.length)))
        let theirs = SandboxReading.contentType(bytes)
        switch ours {
        case .accepted(let contentType):
            try hold(theirs == contentType, "\(contentType) for us, \(theirs ?? "unknown") for the sandbox")
            let types = ModelContract.documented.flatMap(\.references.contentTypes)
            try hold(types.contains(contentType), "no model takes \(contentType)")
        case .other(let words):
            try hold(theirs.map { !$0.hasPrefix("image/") } ?? true, "\(theirs ?? "") for the sandbox, \(words) for us")
            try holdSentence(words, atMost: 40)
        }
        // The type is decided by the start alone.
        try hold(FileSignature.read(bytes + [0]) == FileSignature.read(bytes + [255]) || bytes.count < 16, "it is not")
    }
}
