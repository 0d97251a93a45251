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
    /// The most result URLs that are kept.
    private static let maximumURLs = 100
    /// The longest proof of a file's length that is taken, in bytes.
    private static let maximumTokenBytes = 4096

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
        // Dots could never be asked for, see RivyaClient.generation(id:).
        guard id.utf8.count <= 512, !id.hasControlCharacters, id != ".", id != ".." else {
            throw AnswerProblem(
                message: "id is longer than 512 bytes, has control characters in it, or is made of dots")
        }
        let status = try text(body, "status")
        return Generation(
            id: id,
            status: GenerationStatus(rawValue: redaction.clean(status, limit: Self.maximumNameLength)),
            model: body["model"]?.string.map { redaction.clean($0, limit: Self.maximumNameLength) },
            reservedCredits: try credits(body, "reserved_credits"),
            finalCredits: try credits(body, "final_credits"),
            createdAt: body["created_at"]?.string.flatMap(Timestamp.iso8601),
            updatedAt: body["updated_at"]?.string.flatMap(Timestamp.iso8601),
            resultURLs: resultURLs(body["result"]),
            error: generationError(body["error"]))
    }

    func uploadedFile(_ answer: Answer) throws(AnswerProblem) -> UploadedFile {
        let body = try object(answer)
        let url = try text(body, "url")
        guard MediaReference.isAddress(url), !url.hasControlCharacters else {
            throw AnswerProblem(
                message: "url is no http address of at most \(MediaReference.maximumURLBytes) bytes")
        }
        let token = body["duration_token"]?.string
        guard (token?.utf8.count ?? 0) <= Self.maximumTokenBytes else {
            throw AnswerProblem(message: "duration_token is longer than \(Self.maximumTokenBytes) bytes")
        }
        return UploadedFile(url: url, durationToken: token)
    }

    /// The models that can be read, and how many could not.
    func models(_ answer: Answer) throws(AnswerProblem) -> (models: [Model], unreadable: Int) {
        guard case .array(let entries)? = try object(answer)["data"] else {
            throw AnswerProblem(message: "data is missing or not a list")
        }
        let models = entries.compactMap { entry -> Model? in
            guard let id = entry["id"]?.string, GenerationRequest.isModelID(id) else { return nil }
            let word = { (name: String) in
                entry[name]?.string.map { redaction.clean($0, limit: Self.maximumNameLength) }
            }
            return Model(
                id: id, displayName: word("display_name"), category: word("category"),
                baseCredits: entry["base_credits"]?.wholeNumber.flatMap { $0 < 0 ? nil : $0 },
                billingType: word("billing_type"), apiStatus: word("api_status"),
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
            urls.lazy.filter { !$0.hasControlCharacters && $0.utf8.count <= MediaReference.maximumURLBytes }
                .prefix(Self.maximumURLs))
    }

    private func generationError(_ error: JSONValue?) -> GenerationError? {
        guard let error, !error.isNull else { return nil }
        let code = error["code"]?.string ?? error.string ?? ""
        // The books take no error without a code.
        return GenerationError(
            code: ErrorCode(
                rawValue: code.isEmpty ? "unreadable" : redaction.clean(code, limit: Self.maximumNameLength)),
            message: redaction.clean(error["message"]?.string ?? ""))
    }
}

extension String {
    /// Whether it has characters that no id or URL has, and that a database may not take.
    fileprivate var hasControlCharacters: Bool { unicodeScalars.contains { $0.value < 0x20 || $0.value == 0x7F } }
}
