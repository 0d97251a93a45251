/// What a relay does to what passes it, each as a share from 0 to 1.
struct RelayWeather: Sendable, Equatable, CustomStringConvertible {
    /// Of the new connections: how many are cut after some byte, in one direction or the other.
    var cut = 0.0
    /// Of the pieces that pass: how many come up to 0.3 s late.
    var delay = 0.0
    /// Of the pieces that pass: how many are held back for longer than a request may take.
    var hold = 0.0
    /// Of the provider's answers: how many come twice.
    var duplicate = 0.0
    /// Of the provider's answers: how many are replaced by something else.
    var garbage = 0.0

    var description: String {
        let parts = [("cut", cut), ("delayed", delay), ("held", hold), ("doubled", duplicate), ("garbage", garbage)]
        return parts.filter { $0.1 > 0 }.map { "\($0.0) \($0.1.short)" }.joined(separator: ", ")
    }
}

/// Puts pieces of a stream together to whole HTTP answers.
struct AnswerAssembler {
    private var bytes: [UInt8] = []

    mutating func add(_ piece: some Collection<UInt8>) { bytes += piece }

    /// Takes out the first whole answer.
    mutating func next() -> [UInt8]? {
        let end: [UInt8] = [13, 10, 13, 10]
        guard let headEnd = bytes.indices.first(where: { bytes[$0...].starts(with: end) }) else { return nil }
        let head = String(decoding: bytes[..<headEnd], as: UTF8.self).lowercased()
        let length = head.split(separator: "\r\n").first { $0.hasPrefix("content-length:") }
            .flatMap { Int($0.dropFirst(15).filter(\.isNumber)) }
        let size = headEnd + 4 + (length ?? 0)
        guard bytes.count >= size else { return nil }
        let answer = Array(bytes[..<size])
        bytes.removeFirst(size)
        return answer
    }

    /// Takes out what is there, whole or not.
    mutating func rest() -> [UInt8] {
        defer { bytes = [] }
        return bytes
    }
}

extension Random {
    /// Something that is not the answer to any request.
    mutating func garbage() -> [UInt8] {
        let texts = [
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 26\r\n\r\n{\"id\": 5, \"status\": [null]}",
            "HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 599 \r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        ]
        guard chance(0.4) else { return Array(pick(texts).utf8) }
        return (0..<int(1...300)).map { _ in UInt8.random(in: 0...255, using: &self) }
    }

    /// A byte of a connection, the early ones more often.
    mutating func byte(upTo limit: Int) -> Int {
        let exponent = double(0...1)
        var value = 1.0
        // limit ^ exponent, by halving: no mathematics library is needed for one power.
        var base = Double(limit)
        var share = exponent
        for _ in 0..<20 {
            base = base.squareRoot()
            share *= 2
            if share >= 1 {
                value *= base
                share -= 1
            }
        }
        return max(0, Int(value) - 1)
    }
}
