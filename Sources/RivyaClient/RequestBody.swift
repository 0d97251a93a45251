import FailurePoints
import NIOCore
import NIOPosix
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// A request's body, handed to the connection piece by piece.
///
/// It notes when the first piece is taken. Until then no complete request can have left, whatever went wrong with
/// the connection: that is the proof that a create took no credits.
struct RequestBody: AsyncSequence, Sendable {
    enum Part: Sendable {
        case bytes([UInt8])
        /// A file of exactly this size.
        case file(OpenFile)
    }

    /// Whether the connection has taken any of it.
    final class Progress: Sendable {
        private let begun = Atomic(false)

        var hasBegun: Bool { begun.load(ordering: .acquiring) }

        func begin() { begun.store(true, ordering: .releasing) }
    }

    let parts: [Part]
    let progress = Progress()
    private let kind: RequestKind?

    init(_ parts: [Part], for kind: RequestKind? = nil) {
        self.parts = parts
        self.kind = kind
    }

    /// The same content for another attempt.
    func again(for kind: RequestKind) -> RequestBody { RequestBody(parts, for: kind) }

    var count: Int {
        parts.reduce(0) { sum, part in
            switch part {
            case .bytes(let bytes): sum + bytes.count
            case .file(let file): sum + file.size
            }
        }
    }

    func makeAsyncIterator() -> Iterator { Iterator(body: self) }

    struct Iterator: AsyncIteratorProtocol {
        /// How much of a file is in memory at once.
        private static let pieceBytes = 64 * 1024

        let body: RequestBody
        private var part = 0
        private var offset = 0

        init(body: RequestBody) {
            self.body = body
        }

        mutating func next() async throws -> ByteBuffer? {
            body.progress.begin()
            while part < body.parts.count {
                switch body.parts[part] {
                case .bytes(let bytes):
                    part += 1
                    return ByteBuffer(bytes: bytes)
                case .file(let file):
                    guard offset < file.size else {
                        part += 1
                        offset = 0
                        continue
                    }
                    let (start, wanted) = (offset, Swift.min(Self.pieceBytes, file.size - offset))
                    let piece = try await NIOThreadPool.singleton.runIfActive {
                        try file.bytes(from: start, upTo: wanted)
                    }
                    guard !piece.isEmpty else { throw file.changed }
                    offset += piece.count
                    return ByteBuffer(bytes: piece)
                }
            }
            if let kind = body.kind {
                // The connection has taken the last piece, and sends it on a thread of its own.
                FailurePoint.reach("sent \(kind)") { _ = poll(nil, 0, 50) }
            }
            return nil
        }
    }
}

extension OpenFile {
    /// The file is no longer what was looked at.
    var changed: ContractViolation {
        ReferenceFile.violation(name, "changed since it was checked", "leave the file alone until it is uploaded")
    }
}
