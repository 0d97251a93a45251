import Crypto

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// A create request that has passed the model's rules.
struct GenerationRequest: Sendable {
    let model: ProviderModel
    let duration: String?
    let referenceURLs: [String]
    let clientRequestID: String?
    let idempotencyKey: String?
    let bodySHA256: String

    init(body: [UInt8], idempotencyKey: String?) throws(ProviderError) {
        guard let fields = (try? JSONDecoder().decode(JSONValue.self, from: Data(body))), let members = fields.members
        else { throw .validationFailed("The body is not a JSON object.") }
        let known = ["model", "prompt", "params", "client_request_id"]
        if let unknown = members.first(where: { !known.contains($0.name) }) {
            throw .validationFailed("'\(unknown.name)' is not a field of this request.")
        }
        guard let id = fields["model"]?.string, let model = ModelCatalog.byID[id] else {
            throw .validationFailed("'model' must be the id of a model in GET /api/v1/models.")
        }
        guard model.isFixedPrice else {
            throw .validationFailed("The sandbox makes no tasks of '\(id)', whose price is metered.")
        }
        self.model = model
        try Self.check(prompt: fields["prompt"], of: model)
        switch fields["client_request_id"] {
        case nil, .null: clientRequestID = nil
        case .string(let string): clientRequestID = string
        default: throw .validationFailed("'client_request_id' must be a string.")
        }
        let params: [JSONValue.Member]
        switch fields["params"] {
        case nil, .null: params = []
        case .object(let members): params = members
        default: throw .validationFailed("'params' must be an object.")
        }
        referenceURLs = try Self.check(params, of: model)
        duration = params.first { $0.name == "duration" }?.value.string
        if let idempotencyKey, idempotencyKey.isEmpty || idempotencyKey.utf8.count > 255 {
            throw .validationFailed("'Idempotency-Key' must have 1 to 255 characters.")
        }
        self.idempotencyKey = idempotencyKey
        bodySHA256 = SHA256.hexadecimal(of: body)
    }

    private static func check(prompt: JSONValue?, of model: ProviderModel) throws(ProviderError) {
        guard let prompt = prompt?.string, !prompt.allSatisfy(\.isWhitespace) else {
            throw .validationFailed("'prompt' must be a string that is not empty.")
        }
        if let limit = model.promptLimit, prompt.utf16.count > limit {
            throw .validationFailed("'prompt' has \(prompt.utf16.count) characters; '\(model.id)' takes \(limit).")
        }
    }

    private static func check(_ params: [JSONValue.Member], of model: ProviderModel) throws(ProviderError) -> [String] {
        var referenceURLs: [String] = []
        for param in params {
            if param.name == "referenceMediaItems" {
                referenceURLs = try check(references: param.value, of: model)
            } else if let rule = model.parameters[param.name] {
                guard let objection = rule.objection(to: param.value) else { continue }
                throw .validationFailed("'params.\(param.name)' \(objection).")
            } else {
                throw .validationFailed("'\(model.id)' has no parameter '\(param.name)'.")
            }
        }
        return referenceURLs
    }

    private static func check(references: JSONValue, of model: ProviderModel) throws(ProviderError) -> [String] {
        guard case .array(let items) = references else {
            throw .validationFailed("'params.referenceMediaItems' must be an array.")
        }
        guard let rule = model.references else {
            if items.isEmpty { return [] }
            throw .validationFailed("'\(model.id)' takes no reference media.")
        }
        guard items.count <= rule.count else {
            throw .validationFailed("'\(model.id)' takes at most \(rule.count) reference media items.")
        }
        var urls: [String] = []
        for item in items {
            guard let url = item["url"]?.string, let kind = item["kind"]?.string.flatMap(FileKind.init),
                rule.kinds.contains(kind)
            else {
                let kinds = rule.kinds.map(\.rawValue).joined(separator: " or ")
                throw .validationFailed("A reference media item needs a 'url' and a 'kind' (\(kinds)).")
            }
            urls.append(url)
        }
        return urls
    }
}
