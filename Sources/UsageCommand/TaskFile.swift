import RivyaClient

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// A file of tasks, one JSON object a line. All that can be checked without the database is, before the first is
/// submitted.
enum TaskFile {
    /// The most lines that one file may have.
    static let maximumLines = 100_000
    /// The longest file, in bytes.
    static let maximumBytes = 256 * 1024 * 1024

    /// The longest line, in bytes: what the longest request has.
    static let maximumLineBytes = GenerationRequest.maximumEncodedBytes

    /// What a line says, not checked against any contract yet.
    struct Line: Equatable {
        let project: String
        let request: GenerationRequest
        let references: [String]
        let clientRequestID: String?
    }

    /// Reads and checks a file.
    ///
    /// - Throws: A ``Mistake`` that names the first bad line.
    static func read(_ path: String, project: String?, model: String) throws -> [Draft] {
        var found = stat()
        // What cannot be looked at cannot be read either.
        if stat(path, &found) == 0 {
            guard found.st_mode & S_IFMT == S_IFREG else {
                throw Mistake("\(path) is not a file; write the tasks into one.")
            }
            guard found.st_size <= maximumBytes else {
                throw Mistake("\(path) is longer than \(maximumBytes / 1024 / 1024) MiB; split it.")
            }
        }
        guard let data = try? Data(contentsOf: URL(filePath: path)) else {
            throw Mistake("\(path) cannot be read; check its name and your right to read it.")
        }
        var drafts: [Draft] = []
        // Some editors begin a file with a byte order mark.
        let text = data.starts(with: [0xEF, 0xBB, 0xBF]) ? data.dropFirst(3) : data
        for (index, line) in text.split(separator: 10, omittingEmptySubsequences: false).enumerated() {
            guard !line.allSatisfy({ $0 == 32 || $0 == 9 || $0 == 13 }) else { continue }
            guard drafts.count < maximumLines else {
                throw Mistake("\(path) has more than \(maximumLines) tasks; split it.")
            }
            do {
                let line = try Self.line(Array(line), project: project, model: model)
                drafts.append(
                    try Draft(
                        project: line.project, request: line.request, references: line.references,
                        clientRequestID: line.clientRequestID, line: index + 1))
            } catch {
                throw Mistake("\(path), line \(index + 1): \(error)")
            }
        }
        guard !drafts.isEmpty else { throw Mistake("\(path) has no tasks; write one JSON object a line.") }
        return drafts
    }

    /// Reads a line.
    ///
    /// - Throws: A ``Mistake``; also where a member occurs twice, since there is no telling which project would pay.
    static func line(_ json: [UInt8], project: String?, model: String) throws -> Line {
        let form = #"write it as {"project": "films", "prompt": "…"}."#
        guard json.count <= maximumLineBytes else {
            throw Mistake("this has \(json.count) bytes; a line has at most \(maximumLineBytes).")
        }
        let value: JSONValue
        do {
            value = try JSONReader.read(json)
        } catch {
            throw Mistake("this is not JSON, \(error.problem); \(form)")
        }
        guard case .object(let members) = value else { throw Mistake("this is not a JSON object; \(form)") }
        if let stranger = members.keys.sorted().first(where: { !names.contains($0) }) {
            throw Mistake(
                "'\(Check.shown(stranger))' is not a member of a task; it has \(names.joined(separator: ", ")).")
        }
        guard let project = try text("project", of: value) ?? project else {
            throw Mistake("the project is missing; write it as \"project\": \"films\", or give --project.")
        }
        return Line(
            project: project,
            request: GenerationRequest(
                model: try text("model", of: value) ?? model, prompt: try text("prompt", of: value),
                parameters: try parameters(of: value)),
            references: try references(of: value), clientRequestID: try text("client_request_id", of: value))
    }

    private static let names = ["project", "model", "prompt", "params", "references", "client_request_id"]

    private static func wrongKind(_ member: String) -> Mistake {
        Mistake("'\(Check.shown(member))' has a value of the wrong kind; see: usage submit --help")
    }

    private static func text(_ name: String, of line: JSONValue) throws -> String? {
        guard let value = line[name], !value.isNull else { return nil }
        guard let text = value.string else { throw wrongKind(name) }
        return text
    }

    private static func parameters(of line: JSONValue) throws -> [String: ParameterValue] {
        guard let value = line["params"], !value.isNull else { return [:] }
        guard case .object(let members) = value else { throw wrongKind("params") }
        var parameters: [String: ParameterValue] = [:]
        for (name, member) in members {
            switch member {
            case .string(let text): parameters[name] = .string(text)
            case .bool(let flag): parameters[name] = .bool(flag)
            case .number(let digits):
                guard let number = Double(digits) else { throw wrongKind("params.\(name)") }
                parameters[name] = .number(number)
            case .null, .array, .object: throw wrongKind("params.\(name)")
            }
        }
        return parameters
    }

    private static func references(of line: JSONValue) throws -> [String] {
        guard let value = line["references"], !value.isNull else { return [] }
        guard case .array(let elements) = value else { throw wrongKind("references") }
        return try elements.map { element in
            guard let path = element.string else { throw wrongKind("references") }
            return path
        }
    }
}
