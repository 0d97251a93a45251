import Accounting
import Postgres
import UsageReports

/// Every task of a month as CSV, for those who count for themselves.
public enum TaskExport {
    /// Hands out the tasks whose credits were held in a month, oldest first, straight from COPY, from one snapshot.
    ///
    /// Memory stays the same however many there are.
    ///
    /// - Parameter project: The only project whose tasks are wanted; nil for all.
    /// - Returns: How many tasks there are.
    /// - Throws: ``ReportError/unknownWallet(_:)``, ``ReportError/unknownProject(_:)``, or ``ReportError/database(_:)``.
    public static func write(
        wallet: String, month: Month, project: String? = nil, from pool: ConnectionPool,
        to sink: @Sendable (UnsafeRawBufferPointer) throws(PostgresError) -> Void
    ) async throws(ReportError) -> Int {
        let outcome: Result<Int, ReportError>
        do throws(PostgresError) {
            let options = TransactionOptions(
                isolation: .repeatableRead, readOnly: true, statementTimeout: .seconds(3600))
            outcome = try await pool.transaction(options) { (transaction) throws(PostgresError) in
                try transaction.waitForMovingRows()
                let set = ReportPeriod.set(wallet: wallet, month: month, project: project)
                let answer = try transaction.query(set.statement, parameters: set.parameters)
                do throws(ReportError) { _ = try ReportPeriod(answer, wallet: wallet, project: project) } catch {
                    return .failure(error)
                }
                _ = try transaction.query(ReportQuery.setTasks)
                let copy = "COPY (\(ReportQuery.tasksOfPeriod.sql)) TO STDOUT WITH (FORMAT csv, HEADER)"
                return .success(
                    try transaction.copyOut(Statement(copy, name: ReportQuery.tasksOfPeriod.name), to: sink))
            }
        } catch {
            throw .database(error)
        }
        return try outcome.get()
    }
}
