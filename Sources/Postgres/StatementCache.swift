import CLibpq

/// The statements a connection has prepared, by text and parameter types.
struct StatementCache {
    /// What a prepared statement is known by. The same text with other types is another statement.
    struct Key: Hashable {
        let sql: String
        let types: [Oid]
    }

    /// The most statements kept; beyond it all are let go and prepared again when used.
    static let capacity = 256

    private var names: [Key: String] = [:]
    private var lastNumber = 0

    var isFull: Bool { names.count >= Self.capacity }

    func name(for key: Key) -> String? { names[key] }

    mutating func makeName() -> String {
        lastNumber += 1
        return "usage_\(lastNumber)"
    }

    mutating func insert(_ key: Key, name: String) {
        names[key] = name
    }

    mutating func remove(_ key: Key) {
        names[key] = nil
    }

    mutating func removeAll() {
        names = [:]
    }
}
