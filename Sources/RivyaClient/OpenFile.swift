#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// An open file with a size taken from the same descriptor; closed with its last user.
///
/// A reader that outlives its request must not find the descriptor closed, or reused for another file.
final class OpenFile: Sendable {
    let descriptor: CInt
    let size: Int
    let name: String

    init(path: String, name: String) throws(ContractViolation) {
        guard !path.utf8.contains(0) else {
            throw ReferenceFile.violation(name, "a path with a zero byte", "write the path of an image")
        }
        // Not blocking, because opening a pipe would wait for its other end.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            let reason = errno
            throw ReferenceFile.violation(
                name, reason == ENOENT ? "missing" : "not readable",
                reason == ENOENT ? "check the path" : "the system says: \(String(cString: strerror(reason)))")
        }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            let folder = status.st_mode & S_IFMT == S_IFDIR
            _ = Self.closeDescriptor(descriptor)
            throw ReferenceFile.violation(
                name, folder ? "a folder" : "not a regular file", "choose an image file")
        }
        self.descriptor = descriptor
        self.size = Int(status.st_size)
        self.name = name
    }

    /// The bytes from an offset on, fewer than asked for only at the end of the file.
    func bytes(from offset: Int = 0, upTo count: Int) throws(ContractViolation) -> [UInt8] {
        var failed = false
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            let read = pread(descriptor, buffer.baseAddress, count, off_t(offset))
            failed = read < 0
            initialized = max(read, 0)
        }
        guard !failed else { throw ReferenceFile.violation(name, "not readable", "check the disk") }
        return bytes
    }

    deinit { _ = Self.closeDescriptor(descriptor) }

    private static func closeDescriptor(_ descriptor: CInt) -> CInt {
        #if canImport(Glibc)
            Glibc.close(descriptor)
        #elseif canImport(Musl)
            Musl.close(descriptor)
        #else
            Darwin.close(descriptor)
        #endif
    }
}
