#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// A file that ``EntryExport`` wrote, proved where it lies.
public enum EntryFile {
    private static let pieceBytes = 1024 * 1024

    /// Recomputes the hash chain of a file; memory stays flat, however long it is.
    ///
    /// - Parameter anchor: A head that was noted down earlier.
    /// - Parameter progress: Told the share that is done, 0 to 1, about every megabyte.
    /// - Throws: ``ReportError/unreadable(_:)`` if the file cannot be read.
    public static func prove(
        _ path: String, anchor: ChainAnchor? = nil, progress: (Double) -> Void = { _ in }
    ) throws(ReportError) -> Verification {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw .unreadable("\(path) cannot be opened: \(String(cString: strerror(errno)))") }
        defer { close(file) }
        var status = stat()
        let size = fstat(file, &status) == 0 ? Double(max(status.st_size, 1)) : 1
        var chain = EntryChain(anchor: anchor)
        var piece = [UInt8](repeating: 0, count: pieceBytes)
        var rest: [UInt8] = []
        var done = 0
        while true {
            let count = read(file, &piece, pieceBytes)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw .unreadable("\(path): \(String(cString: strerror(errno)))") }
            guard count > 0 else { break }
            done += count
            rest += piece[..<count]
            var start = rest.startIndex
            while let end = rest[start...].firstIndex(of: UInt8(ascii: "\n")) {
                chain.read(rest[start..<end])
                start = end + 1
            }
            rest.removeFirst(start)
            guard rest.count <= EntryChain.maximumLineBytes else {
                throw .unreadable(
                    "\(path) has a line of more than \(EntryChain.maximumLineBytes) bytes; it is no export")
            }
            progress(Double(done) / size)
        }
        if !rest.isEmpty { chain.read(rest) }
        chain.finish()
        return Verification(differences: chain.differences, heads: [chain.head], rules: ["entry_hash"])
    }
}
