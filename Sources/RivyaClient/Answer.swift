/// What came back for one attempt.
struct Answer: Sendable {
    let status: Int
    let retryAfter: Duration?
    let body: [UInt8]
}

/// Why an answer is not what the documentation allows.
struct AnswerProblem: Error {
    let message: String
}

/// Reads answers: unknown members are passed over, and what is about credits is exact or refused.
struct AnswerReader: Sendable {
    /// The longest id, code or status that is kept.
    private static let maximumNameLength = 128
    /// The most credits that are believed: sums of many such numbers still fit 64 bits.
    private static let maximumCredits: Int64 = 1_000_000_000_000_000
    /// The most result URLs that are kept, and how long one may be.
    private static let maximumURLs = (count: 100, bytes: 4096)

    let redaction: Redaction

    func credits(_ answer: Answer) throws(AnswerProblem) -> Int64 {
        let body = try object(answer)
        guard let credits = try credits(body, "current_credits") else {
            throw AnswerProblem(message: "current_credits is missing")
        }
        return credits
    }

    func generation(_ answer: Answer) throws(AnswerProblem) -> Generation {
        let body = try object(answer)
        let id = try text(body, "id")
        guard id.utf8.count <= 512, !id.hasControlCharacters else {
            throw AnswerProblem(message: "id is longer than 512 bytes, or has control characters in it")
        }
        let status = try text(body, "status")
        return Generation(
            id: id,
            status: GenerationStatus(rawValue: redaction.clean(status, limit: Self.maximumNameLength)),
            model: body["model"]?.string,
            reservedCredits: try credits(body, "reserved_credits"),
            finalCredits: try credits(body, "final_credits"),
            createdAt: body["created_at"]?.string.flatMap(Timestamp.iso8601),
            updatedAt: body["updated_at"]?.string.flatMap(Timestamp.iso8601),
            resultURLs: resultURLs(body["result"]),
            error: generationError(body["error"]))
    }

    func uploadedFile(_ answer: Answer) throws(AnswerProblem) -> UploadedFile {
        let body = try object(answer)
        return UploadedFile(url: try text(body, "url"), durationToken: body["duration_token"]?.string)
    }

    /// The models that can be read, and how many could not.
    func models(_ answer: Answer) throws(AnswerProblem) -> (models: [Model], unreadable: Int) {
        guard case .array(let entries)? = try object(answer)["data"] else {
            throw AnswerProblem(message: "data is missing or not a list")
        }
        let models = entries.compactMap { entry -> Model? in
            guard let id = entry["id"]?.string, !id.isEmpty else { return nil }
            return Model(
                id: id, displayName: entry["display_name"]?.string, category: entry["category"]?.string,
                baseCredits: entry["base_credits"]?.wholeNumber.flatMap { $0 < 0 ? nil : $0 },
                billingType: entry["billing_type"]?.string, apiStatus: entry["api_status"]?.string,
                maxPromptLength: entry["max_prompt_length"]?.wholeNumber.flatMap { $0 < 0 ? nil : Int($0) })
        }
        return (models, entries.count - models.count)
    }

    /// The provider's own refusal, or an unreadable answer if it is not one.
    func refusal(_ answer: Answer) -> RivyaError {
        guard let body = try? JSONReader.read(answer.body), let error = body["error"],
            let code = error["code"]?.string, !code.isEmpty
        else {
            return RivyaError(
                failure: .unreadableAnswer, httpStatus: answer.status,
                message: "the answer is no error of the documented form", retryAfter: answer.retryAfter)
        }
        return RivyaError(
            failure: .refused(ErrorCode(rawValue: redaction.clean(code, limit: Self.maximumNameLength))),
            httpStatus: answer.status,
            requestID: error["requestId"]?.string.map { redaction.clean($0, limit: Self.maximumNameLength) },
            message: redaction.clean(error["message"]?.string ?? ""), retryAfter: answer.retryAfter)
    }

    private func object(_ answer: Answer) throws(AnswerProblem) -> JSONValue {
        let value: JSONValue
        do {
            value = try JSONReader.read(answer.body)
        } catch {
            throw AnswerProblem(message: "the answer is not JSON: \(error.problem)")
        }
        guard case .object = value else { throw AnswerProblem(message: "the answer is not a JSON object") }
        return value
    }

    private func text(_ body: JSONValue, _ name: String) throws(AnswerProblem) -> String {
        guard let text = body[name]?.string, !text.isEmpty else {
            throw AnswerProblem(message: "\(name) is missing or not a text")
        }
        return text
    }

    /// Whole credits, not negative; nothing if the member is absent or null, which means not known yet.
    private func credits(_ body: JSONValue, _ name: String) throws(AnswerProblem) -> Int64? {
        guard let value = body[name], !value.isNull else { return nil }
        guard let credits = value.wholeNumber, (0...Self.maximumCredits).contains(credits) else {
            throw AnswerProblem(message: "\(name) is not a whole number of credits from 0 to 10^15")
        }
        return credits
    }

    private func resultURLs(_ result: JSONValue?) -> [String] {
        var urls: [String] = []
        if case .array(let entries)? = result?["urls"] { urls = entries.compactMap(\.string) }
        if let primary = result?["primary_url"]?.string, urls.first != primary {
            urls = [primary] + urls.filter { $0 != primary }
        }
        return Array(
            urls.lazy.filter { !$0.hasControlCharacters && $0.utf8.count <= Self.maximumURLs.bytes }
                .prefix(Self.maximumURLs.count))
    }

    private func generationError(_ error: JSONValue?) -> GenerationError? {
        guard let error, !error.isNull else { return nil }
        let code = error["code"]?.string ?? error.string ?? "unreadable"
        return GenerationError(
            code: ErrorCode(rawValue: redaction.clean(code, limit: Self.maximumNameLength)),
            message: redaction.clean(error["message"]?.string ?? ""))
    }
}

extension String {
    /// Whether it has characters that no id or URL has, and that a database may not take.
    fileprivate var hasControlCharacters: Bool { unicodeScalars.contains { $0.value < 0x20 || $0.value == 0x7F } }
}
