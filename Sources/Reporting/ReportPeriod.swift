import Accounting
import Postgres
import UsageReports

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The month that the queries of a transaction read, of a wallet that there is.
struct ReportPeriod {
    let month: Month
    /// The wallet's.
    let timeZone: String

    /// The step that sets which month of which wallet and project the steps after it read.
    ///
    /// - Parameter month: Nil for the one that the moment lies in, in the wallet's time zone.
    static func set(wallet: String, month: Month?, at moment: Date? = nil, project: String?) -> PipelineStep {
        PipelineStep(ReportQuery.setPeriod, wallet, month?.description ?? "", moment, project ?? "")
    }

    /// Reads the answer to that step.
    ///
    /// - Throws: What there is not.
    init(_ answer: Rows, wallet: String, project: String?) throws(ReportError) {
        let (zone, text, hasProject): (String?, String?, Bool)
        do throws(PostgresError) {
            (zone, text, hasProject) = try (
                answer[0].decode("time_zone"), answer[0].decode("month"), answer[0].decode("has_project")
            )
        } catch {
            throw .database(error)
        }
        guard let zone, let month = text.flatMap({ Month($0) }) else { throw .unknownWallet(wallet) }
        guard hasProject else { throw .unknownProject(project ?? "") }
        (timeZone, self.month) = (zone, month)
    }
}
