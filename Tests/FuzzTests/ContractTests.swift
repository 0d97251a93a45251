import Accounting
import Foundation
import Ledger
import Logging
import RivyaSandbox
import Testing

@testable import RivyaClient
@testable import UsageCommand

@Suite struct `Any request` {
    /// One that is the same in each run, and one that never was.
    static let seeds = [1, UInt64.random(in: .min ... .max)]

    @Test(arguments: seeds) func `that the contract admits is sent as it is, and the sandbox takes it`(seed: UInt64)
        throws
    {
        var requests = RequestGenerator(random: SeededGenerator(state: seed))
        for number in 0..<500 {
            let request = requests.admitted()
            let place = Comment(rawValue: "seed \(seed), request \(number): \(request)")
            #expect(throws: Never.self, place) { try request.validate() }
            let body = request.encoded()
            let sent = try JSONDecoder().decode(SentRequest.self, from: Data(body))
            #expect(sent.isEqual(to: request), place)
            #expect(throws: Never.self, place) { try SandboxReading.accepts(request: body).get() }
        }
    }

    @Test(arguments: seeds) func `with one rule broken is refused in a sentence that names it`(seed: UInt64) throws {
        var requests = RequestGenerator(random: SeededGenerator(state: seed))
        var fields: Set<String> = []
        for number in 0..<1500 {
            let broken = requests.broken()
            let place = Comment(rawValue: "seed \(seed), request \(number): \(broken.request)")
            let violation = #expect(throws: ContractViolation.self, place) { try broken.request.validate() }
            #expect(violation?.field == broken.field, place)
            let sentence = violation?.description ?? ""
            #expect(throws: Never.self, place) { try holdSentence(sentence, atMost: 700) }
            #expect(sentence.hasSuffix(".") && violation?.rule.isEmpty == false, place)
            fields.insert(broken.field)
            guard broken.isSeenByProvider else { continue }
            let answer = SandboxReading.accepts(request: broken.request.encoded())
            #expect(throws: SandboxReading.Refused.self, place) { try answer.get() }
        }
        #expect(fields.isSuperset(of: ["prompt", "references", "duration", "cfg_scale", "seed", "negative_prompt"]))
    }

    @Test(arguments: seeds) func `has the fingerprint of its equals only`(seed: UInt64) throws {
        var requests = RequestGenerator(random: SeededGenerator(state: seed))
        for number in 0..<300 {
            var request = requests.admitted()
            (request.references, request.clientRequestID) = ([], nil)
            // The same parameters, put in one by one in another order.
            var again = GenerationRequest(model: request.model, prompt: request.prompt)
            for (name, value) in request.parameters.shuffled(using: &requests.random) { again.parameters[name] = value }
            var other = request
            switch number % 3 {
            case 0: other.prompt = (request.prompt ?? "").dropLast() + "¶"
            case 1: other.parameters["prompt"] = .string(request.prompt ?? "")
            default: other.model = request.model == "z-image" ? "kling-2-6" : "z-image"
            }
            let place = Comment(rawValue: "seed \(seed), request \(number): \(request)")
            #expect(try fingerprint(request) == fingerprint(again), place)
            #expect(try fingerprint(request) != fingerprint(request, of: "film"), place)
            if (try? other.validate()) != nil { #expect(try fingerprint(request) != fingerprint(other), place) }
        }
    }

    @Test(arguments: seeds) func `goes over HTTP, or is refused there as here`(seed: UInt64) async throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "usage-property-\(UUID().uuidString).png")
        try Data([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A, 0]).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        try await RivyaSandbox.withSandbox(settings: SandboxSettings(openingCredits: 1_000_000)) { sandbox, address in
            let client = RivyaClient(
                try RivyaConfiguration(baseURL: address, apiKey: try APIKey(SandboxSettings.defaultKey), retry: .never),
                logger: Logger(label: "property"))
            var requests = RequestGenerator(random: SeededGenerator(state: seed))
            requests.url = try await client.upload(ReferenceFile(path: file.path)).url
            for number in 0..<60 {
                _ = try await client.createGeneration(requests.admitted(), idempotencyKey: "admitted-\(number)")
            }
            for number in 0..<60 {
                let broken = requests.broken()
                guard broken.isSeenByProvider else { continue }
                let refusal = await #expect(throws: RivyaError.self, "seed \(seed): \(broken.request)") {
                    _ = try await client.createGeneration(
                        body: broken.request.encoded(), idempotencyKey: "broken-\(number)")
                }
                #expect(refusal?.failure == .refused(.validationFailed), "seed \(seed): \(broken.request)")
                #expect(refusal?.creationOutcome == .notTaken)
            }
            #expect(await sandbox.books.report().tasks.count == 60)
            await client.shutdown()
        }
    }

    private func fingerprint(_ request: GenerationRequest, of project: String = "films") throws -> [UInt8] {
        let draft = try Draft(project: project, request: request, references: [], clientRequestID: nil)
        let now = Date(timeIntervalSince1970: 1_778_457_600)
        return try draft.submission(.make(at: now), at: now).fingerprint
    }
}

/// A request as another parser reads it. JSONSerialization would not do: it drops a byte order mark at the start of a text,
/// and reads 0.9999999999999999 as 1.
private struct SentRequest: Decodable {
    enum Value: Decodable, Equatable {
        case text([UInt8])
        case number(Double)
        case flag(Bool)
        case files([[String: String]])

        init(from decoder: any Swift.Decoder) throws {
            let value = try decoder.singleValueContainer()
            if let text = try? value.decode(String.self) {
                self = .text(Array(text.utf8))
            } else if let number = try? value.decode(Double.self) {
                self = .number(number)
            } else if let flag = try? value.decode(Bool.self) {
                self = .flag(flag)
            } else {
                self = .files(try value.decode([[String: String]].self))
            }
        }

        init(_ value: ParameterValue) {
            switch value {
            case .string(let text): self = .text(Array(text.utf8))
            case .number(let number): self = .number(number)
            case .bool(let flag): self = .flag(flag)
            }
        }
    }

    let members: [String: Value]
    let params: [String: Value]?

    init(from decoder: any Swift.Decoder) throws {
        var members: [String: Value] = [:]
        let container = try decoder.container(keyedBy: Name.self)
        for name in container.allKeys where name.stringValue != "params" {
            members[name.stringValue] = try container.decode(Value.self, forKey: name)
        }
        self.members = members
        params = try container.decodeIfPresent([String: Value].self, forKey: Name(stringValue: "params"))
    }

    private struct Name: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }
        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    /// Whether nothing was added, left out or changed, byte by byte, and each value is of its own kind.
    func isEqual(to request: GenerationRequest) -> Bool {
        var wanted: [String: Value] = ["model": Value(.string(request.model))]
        wanted["prompt"] = request.prompt.map { Value(.string($0)) }
        wanted["client_request_id"] = request.clientRequestID.map { Value(.string($0)) }
        var wantedParams = request.parameters.mapValues { Value($0) }
        if !request.references.isEmpty {
            wantedParams["referenceMediaItems"] = .files(
                request.references.map { file in
                    var item = ["url": file.url, "kind": file.kind]
                    (item["name"], item["mimeType"]) = (file.name, file.mimeType)
                    return item
                })
        }
        return members == wanted && params ?? [:] == wantedParams
    }
}
