import Postgres
import Testing

/// Gives each test a database of its own as ``TestDatabase/current``, and drops it afterwards.
public struct DatabaseTrait: SuiteTrait, TestTrait, TestScoping {
    /// What the database has.
    public let migrations: [Migration]

    /// Each test of a suite has one of its own.
    public var isRecursive: Bool { true }

    /// Only a test that runs needs one, not the suite around it.
    public func scopeProvider(for test: Test, testCase: Test.Case?) -> DatabaseTrait? {
        testCase == nil ? nil : self
    }

    /// Runs a test with its database.
    public func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
    ) async throws {
        let database = try await TestDatabase.make(migrations: migrations)
        do { try await TestDatabase.$scoped.withValue(database) { try await function() } } catch {
            try await database.drop()
            throw error
        }
        try await database.drop()
    }
}

extension Trait where Self == DatabaseTrait {
    /// A database with the migrations.
    public static func database(migrations: [Migration]) -> DatabaseTrait {
        DatabaseTrait(migrations: migrations)
    }

    /// A database with nothing in it.
    public static var emptyDatabase: DatabaseTrait { DatabaseTrait(migrations: []) }
}
