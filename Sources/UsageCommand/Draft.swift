import Accounting
import Crypto
import Ledger
import RivyaClient

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// A task as a caller describes it, on the command line or in a line of a file, checked against the model's contract.
struct Draft: Sendable {
    let project: String
    let request: GenerationRequest
    let references: [ReferenceFile]
    let clientRequestID: String?
    /// The line of the file in which it stands, from 1; nil where it stands in none.
    let line: Int?

    /// Checks all that can be checked without the database.
    init(
        project: String, request: GenerationRequest, references: [String], clientRequestID: String?, line: Int? = nil
    ) throws {
        guard Slug.isValid(project), !project.hasPrefix("rvya_sk_") else {
            throw Mistake("'\(Check.shown(project))' is not the name of a project; see: usage project list")
        }
        // It stands in lists, which one line break would change.
        guard clientRequestID.map(Check.isOneLine) ?? true else {
            throw Mistake("The client_request_id has a line break or another control character; leave that out.")
        }
        // Before any of them is opened.
        guard references.count <= GenerationRequest.maximumCount else {
            throw Mistake("\(references.count) references are too many; leave some out.")
        }
        var files: [ReferenceFile] = []
        for path in references { files.append(try ReferenceFile(path: path, model: request.model)) }
        // The contract also limits the references, so it sees them with URLs that stand for those to come.
        var complete = request
        complete.references = files.map {
            MediaReference(
                url: "https://example.invalid/\(files.count)", kind: $0.kind, name: $0.name, mimeType: $0.contentType)
        }
        complete.clientRequestID = clientRequestID
        try complete.validate()
        self.project = project
        self.request = request
        self.references = files
        self.clientRequestID = clientRequestID
        self.line = line
    }

    /// What the guard is asked.
    func submission(_ id: TaskID, at now: Date) throws -> TaskSubmission {
        TaskSubmission(
            taskID: id, project: project, model: request.model, parameters: request.parameters.mapValues(\.text),
            clientRequestID: clientRequestID, fingerprint: try fingerprint(),
            body: references.isEmpty ? body(of: id, references: []) : nil, submittedAt: now)
    }

    /// The create request, byte for byte as it will be sent; the provider sees the task's id as the client's own.
    func body(of id: TaskID, references: [MediaReference]) -> [UInt8] {
        var request = request
        request.references = references
        request.clientRequestID = id.description
        return request.encoded()
    }

    /// Equal for equal requests: project, request, and the references by their content.
    private func fingerprint() throws -> [UInt8] {
        var bytes = Array(project.utf8) + [0] + request.encoded()
        for file in references { bytes += [0] + SHA256.hash(data: try Data(contentsOf: URL(filePath: file.path))) }
        return bytes
    }
}

extension ParameterValue {
    /// The value as the price book compares it, and as JSON prints it.
    var text: String {
        switch self {
        case .string(let text): text
        case .bool(let flag): "\(flag)"
        case .number(let number): number == number.rounded() && abs(number) < 1e15 ? "\(Int64(number))" : "\(number)"
        }
    }
}
