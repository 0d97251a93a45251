import Accounting
import Foundation
import Ledger
import RivyaClient

@testable import UsageCommand

extension Decoder {
    /// A line of `usage submit --file`.
    static let taskLine = Decoder(name: "task-line") { bytes in
        let line: TaskFile.Line
        do {
            line = try TaskFile.line(bytes, project: nil, model: "kling-v2-5-turbo-pro")
        } catch {
            try hold(error is Mistake, "\(error) is no mistake")
            return try holdSentence("\(error)")
        }
        if let other = try? JSONDecoder().decode(Sent.self, from: Data(bytes)) {
            try hold(other.project == line.project, "the project is another")
            try hold(other.prompt == line.request.prompt, "the prompt is another")
        }
        // Files are looked at when a draft is made, and no input may choose which of this machine.
        guard line.references.isEmpty else { return }
        do {
            try holdDraft(
                try Draft(
                    project: line.project, request: line.request, references: [], clientRequestID: line.clientRequestID
                ))
        } catch let finding as Finding {
            throw finding
        } catch {
            try holdSentence("\(error)")
        }
    }

    /// What another parser reads of a line, and of a request.
    private struct Sent: Decodable {
        let project: String?
        let prompt: String?
        let clientRequestID: String?

        enum CodingKeys: String, CodingKey {
            case project, prompt
            case clientRequestID = "client_request_id"
        }
    }

    /// What a draft brings into the books: bounded, storable, and the same each time.
    private static func holdDraft(_ draft: Draft) throws {
        let now = Date(timeIntervalSince1970: 1_778_457_600)
        let id = TaskID.make(at: now)
        let (first, second) = (try draft.submission(id, at: now), try draft.submission(id, at: now))
        try hold(Slug.isValid(first.project), "\(first.project) is no project")
        try hold((1...128).contains(first.clientRequestID.unicodeScalars.count), "a client_request_id is too long")
        try hold(first.fingerprint == second.fingerprint && first.body == second.body, "it is not the same twice")
        guard let body = first.body else { throw Finding(description: "a draft without references has no body") }
        try hold((2...1_048_576).contains(body.count), "a body of \(body.count) bytes")
        for (name, value) in first.parameters {
            try hold(!name.utf8.contains(0) && !value.utf8.contains(0), "a parameter that PostgreSQL cannot keep")
        }
        try hold(!first.clientRequestID.utf8.contains(0), "a client_request_id that PostgreSQL cannot keep")
        let sent = try JSONDecoder().decode(Sent.self, from: Data(body))
        try hold(sent.prompt == draft.request.prompt, "the prompt that is sent is another")
        try hold(sent.clientRequestID == id.description, "the task's id is not sent")
        guard ModelContract.of(draft.request.model) != nil else { return }
        if case .failure(let refused) = SandboxReading.accepts(request: body) {
            throw Finding(description: "the sandbox refuses what the contract admits: \(refused.message)")
        }
    }
}
