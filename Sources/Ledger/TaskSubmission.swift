import Accounting
import Crypto
import Postgres

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// A request for the guard: credits for one task of a project.
public struct TaskSubmission: Sendable {
    /// The id of the task, should it be admitted.
    public let taskID: TaskID
    /// The project that pays.
    public let project: String
    /// The provider's model id.
    public let model: String
    /// The request's parameters, as the price book compares them.
    public let parameters: [String: String]
    /// The caller's own name for the request, at most 128 characters: asking again with it returns the first answer.
    public let clientRequestID: String
    /// What was asked for, in bytes that are equal for equal requests; only its hash is kept.
    public let fingerprint: [UInt8]
    /// The create request, at most 1 MiB; nil while its references are not uploaded, and the task then waits for
    /// ``Ledger/store(request:of:at:)``.
    public let body: [UInt8]?
    /// When it was submitted.
    public let submittedAt: Date
    /// The hash of the fingerprint, made where it is asked for: the database is the one that all wait for.
    let fingerprintSHA256: [UInt8]

    /// Makes a request.
    ///
    /// - Parameter clientRequestID: nil where the caller has no name for it: the task's id serves, and the request can
    ///   not be asked again.
    public init(
        taskID: TaskID, project: String, model: String, parameters: [String: String] = [:],
        clientRequestID: String? = nil,
        fingerprint: [UInt8], body: [UInt8]?, submittedAt: Date
    ) {
        self.taskID = taskID
        self.project = project
        self.model = model
        self.parameters = parameters
        self.clientRequestID = clientRequestID ?? taskID.description
        self.fingerprint = fingerprint
        self.body = body
        self.submittedAt = submittedAt
        fingerprintSHA256 = Array(SHA256.hash(data: fingerprint))
    }
}
