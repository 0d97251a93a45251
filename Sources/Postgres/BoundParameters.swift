import CLibpq

/// The values of a statement's parameters in PostgreSQL's binary format, in one buffer.
struct BoundParameters {
    let types: [Oid]
    private let bytes: [UInt8]
    private let ends: [Int]
    private let isNull: [Bool]

    init(_ parameters: [any PostgresEncodable]) throws(PostgresError) {
        // The protocol counts parameters in 16 bits.
        guard parameters.count <= Int(UInt16.max) else {
            throw .unencodable("a statement takes at most 65,535 parameters; pass an array instead")
        }
        var types: [Oid] = []
        var bytes: [UInt8] = []
        var ends: [Int] = []
        var isNull: [Bool] = []
        for parameter in parameters {
            types.append(type(of: parameter).postgresType.oid)
            isNull.append(try !parameter.encode(into: &bytes))
            ends.append(bytes.count)
        }
        guard bytes.count < Int(Int32.max) else { throw .unencodable("a statement's values take more than 2 GiB") }
        // An empty buffer has no address, and a missing address would mean NULL.
        bytes.append(0)
        (self.types, self.bytes, self.ends, self.isNull) = (types, bytes, ends, isNull)
    }

    /// Lends the values in the form libpq takes: addresses, lengths and formats.
    func withPointers<R>(
        _ body: ([UnsafePointer<CChar>?], [Int32], [Int32]) -> R
    ) -> R {
        bytes.withUnsafeBytes { all in
            var start = 0
            var values: [UnsafePointer<CChar>?] = []
            var lengths: [Int32] = []
            for (index, end) in ends.enumerated() {
                let value = all.baseAddress?.advanced(by: start).assumingMemoryBound(to: CChar.self)
                values.append(isNull[index] ? nil : value)
                lengths.append(Int32(end - start))
                start = end
            }
            return body(values, lengths, [Int32](repeating: 1, count: ends.count))
        }
    }
}
