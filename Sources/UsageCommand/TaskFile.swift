import RivyaClient

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// A file of tasks, one JSON object a line. All of it is checked before the first task is submitted.
enum TaskFile {
    /// The most lines that one file may have.
    static let maximumLines = 100_000
    /// The longest file, in bytes.
    static let maximumBytes = 256 * 1024 * 1024

    private struct Line: Decodable {
        var project: String?
        var model: String?
        var prompt: String?
        var params: [String: ParameterValue]?
        var clientRequestID: String?
        var references: [String]?

        enum CodingKeys: String, CodingKey, CaseIterable {
            case project, model, prompt, params, references
            case clientRequestID = "client_request_id"
        }
    }

    /// Reads and checks a file.
    ///
    /// - Throws: A ``Mistake`` that names the first bad line.
    static func read(_ path: String, project: String?, model: String) throws -> [Draft] {
        let data: Data
        do {
            let url = URL(filePath: path)
            let attributes = try FileManager.default.attributesOfItem(atPath: path)
            guard attributes[.type] as? FileAttributeType == .typeRegular else {
                throw Mistake("\(path) is not a file; write the tasks into one.")
            }
            guard let size = attributes[.size] as? UInt64, size <= UInt64(maximumBytes) else {
                throw Mistake("\(path) is longer than \(maximumBytes / 1024 / 1024) MiB; split it.")
            }
            data = try Data(contentsOf: url)
        } catch let mistake as Mistake {
            throw mistake
        } catch {
            throw Mistake("\(path) cannot be read; check its name and your right to read it.")
        }
        var drafts: [Draft] = []
        for (index, line) in data.split(separator: 10, omittingEmptySubsequences: false).enumerated() {
            guard !line.allSatisfy({ $0 == 32 || $0 == 9 || $0 == 13 }) else { continue }
            guard drafts.count < maximumLines else {
                throw Mistake("\(path) has more than \(maximumLines) tasks; split it.")
            }
            do {
                drafts.append(try draft(Data(line), project: project, model: model))
            } catch {
                throw Mistake("\(path), line \(index + 1): \(error)")
            }
        }
        guard !drafts.isEmpty else { throw Mistake("\(path) has no tasks; write one JSON object a line.") }
        return drafts
    }

    private static func draft(_ json: Data, project: String?, model: String) throws -> Draft {
        let names = try members(json)
        if let stranger = names.first(where: { Line.CodingKeys(rawValue: $0) == nil }) {
            let known = Line.CodingKeys.allCases.map(\.rawValue).joined(separator: ", ")
            throw Mistake("'\(stranger)' is not a member of a task; it has \(known).")
        }
        let line: Line
        do {
            line = try JSONDecoder().decode(Line.self, from: json)
        } catch let DecodingError.typeMismatch(_, context) {
            let member = context.codingPath.map(\.stringValue).joined(separator: ".")
            throw Mistake("'\(member)' has a value of the wrong kind; see: usage submit --help")
        } catch {
            throw Mistake("this is not a JSON object; write it as {\"project\": \"films\", \"prompt\": \"…\"}.")
        }
        guard let project = line.project ?? project else {
            throw Mistake("the project is missing; write it as \"project\": \"films\", or give --project.")
        }
        return try Draft(
            project: project,
            request: GenerationRequest(model: line.model ?? model, prompt: line.prompt, parameters: line.params ?? [:]),
            references: line.references ?? [], clientRequestID: line.clientRequestID)
    }

    private static func members(_ json: Data) throws -> [String] {
        struct AnyMember: Decodable {
            init(from decoder: any Decoder) throws {}
        }
        guard let object = try? JSONDecoder().decode([String: AnyMember].self, from: json) else {
            throw Mistake("this is not a JSON object; write it as {\"project\": \"films\", \"prompt\": \"…\"}.")
        }
        return object.keys.sorted()
    }
}
