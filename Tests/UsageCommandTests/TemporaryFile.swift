import Foundation

/// A file that lives as long as its value.
final class TemporaryFile: Sendable {
    /// The smallest picture there is.
    static let png: [UInt8] = [
        0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A, 0, 0, 0, 0x0D, 0x49, 0x48, 0x44, 0x52, 0, 0, 0, 1, 0, 0, 0, 1,
        8, 6, 0, 0,
        0, 0x1F, 0x15, 0xC4, 0x89,
    ]

    let path: String

    init(bytes: [UInt8], name: String) throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "usage-file-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        path = folder.appending(path: name).path
        try Data(bytes).write(to: URL(filePath: path))
    }

    convenience init(_ lines: [String]) throws {
        try self.init(bytes: Array((lines.joined(separator: "\n") + "\n").utf8), name: "tasks.jsonl")
    }

    deinit { try? FileManager.default.removeItem(at: URL(filePath: path).deletingLastPathComponent()) }
}
