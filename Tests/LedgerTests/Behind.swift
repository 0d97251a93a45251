import Postgres
import TestDatabase
import Testing

/// Lets an act begin while a transaction of the owner's is open, which it has to wait for, and commits that once it waits.
func behind<Value: Sendable>(
    _ statement: Statement, _ act: @escaping @Sendable () async throws -> Value
) async throws -> Value {
    let observer = TestDatabase.current.pool(maximumConnections: 1)
    let task = try await TestDatabase.current.pool(maximumConnections: 1).withConnection {
        (owner) throws(PostgresError) in
        try await owner.execute("BEGIN")
        try await owner.execute(statement)
        let task = Task { try await act() }
        await wait { (try? await observer.query(blocked).isEmpty) == false }
        try await owner.execute("COMMIT")
        return task
    }
    return try await task.value
}
