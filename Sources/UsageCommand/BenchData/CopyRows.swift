/// Rows in the binary format of COPY, written piece by piece.
///
/// Source: PostgreSQL manual, COPY, "Binary Format".
struct CopyRows {
    /// How many bytes a piece has at least, but for the last.
    static let pieceBytes = 64 * 1024

    private var bytes: [UInt8] = []

    init() { bytes.reserveCapacity(CopyRows.pieceBytes * 2) }

    /// Whether there is enough for a piece.
    var isFull: Bool { bytes.count >= CopyRows.pieceBytes }

    /// What was written since the last piece.
    mutating func takePiece() -> [UInt8] {
        defer { bytes.removeAll(keepingCapacity: true) }
        return bytes
    }

    mutating func begin() {
        bytes += [0x50, 0x47, 0x43, 0x4F, 0x50, 0x59, 0x0A, 0xFF, 0x0D, 0x0A, 0x00]
        // No flags, no extension.
        bytes += [0, 0, 0, 0, 0, 0, 0, 0]
    }

    mutating func end() { appendWhole(Int16(-1)) }

    mutating func row(columns: Int16) { appendWhole(columns) }

    /// A bigint, or a timestamptz in microseconds since 2000-01-01 00:00 UTC.
    mutating func append(_ value: Int64) {
        appendWhole(Int32(8))
        appendWhole(value)
    }

    /// An integer, or a date in days since 2000-01-01.
    mutating func append(_ value: Int32) {
        appendWhole(Int32(4))
        appendWhole(value)
    }

    mutating func append(_ value: Bool) {
        appendWhole(Int32(1))
        bytes.append(value ? 1 : 0)
    }

    mutating func append(_ id: InventedID) {
        appendWhole(Int32(16))
        appendWhole(id.high)
        appendWhole(id.low)
    }

    /// A text, or the bytes of a bytea.
    mutating func append(_ value: some Collection<UInt8>) {
        appendWhole(Int32(value.count))
        bytes.append(contentsOf: value)
    }

    mutating func append(_ value: String) { append(value.utf8) }

    mutating func append(json value: some Collection<UInt8>) {
        appendWhole(Int32(value.count + 1))
        bytes.append(1)
        bytes.append(contentsOf: value)
    }

    mutating func appendNull() { appendWhole(Int32(-1)) }

    mutating func append(_ value: String?) {
        if let value { append(value.utf8) } else { appendNull() }
    }

    private mutating func appendWhole(_ value: some FixedWidthInteger) {
        withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
    }
}
