import RivyaClient
import Testing

@testable import Worker

@Suite struct `What a failed create request means` {
    @Test(arguments: [
        (ErrorCode.publicAPIDisabled, 503, CreationVerdict.sendAgain), (.rateLimited, 429, .sendAgain),
        (.apiKeyMissing, 401, .keyRefused), (.apiKeyInvalid, 401, .keyRefused), (.apiKeyRevoked, 401, .keyRefused),
        (.apiKeyExpired, 401, .keyRefused), (.apiScopeDenied, 403, .keyRefused), (.validationFailed, 400, .reject),
        (.notFound, 404, .reject), (.idempotencyConflict, 409, .review), (.insufficientCredits, 402, .reject),
        (.webhookURLRejected, 400, .reject), (.chatModelNotSupported, 400, .reject),
        (.chatSessionConflict, 409, .reject), (.chatAttachmentNotSupported, 400, .reject),
        (.generationFailed, 500, .doubt),
    ])
    func `is told by each documented code`(code: ErrorCode, status: Int, verdict: CreationVerdict) {
        let error = RivyaError(failure: .refused(code), httpStatus: status)
        #expect(CreationVerdict(error, isInDoubt: false) == verdict)
    }

    @Test func `is told for every documented code`() {
        #expect(ErrorCode.documented.count == 16, "a new code needs a verdict in the table above")
    }

    @Test(arguments: [400, 402, 403, 409, 422, 429, 500, 503])
    func `does not hang on the status of insufficient_credits, which is not documented`(status: Int) {
        let error = RivyaError(failure: .refused(.insufficientCredits), httpStatus: status)
        #expect(CreationVerdict(error, isInDoubt: false) == .reject)
    }

    @Test(arguments: [
        (400, CreationVerdict.reject), (404, .reject), (422, .reject), (429, .sendAgain), (408, .doubt), (409, .doubt),
        (418, .doubt), (500, .doubt), (503, .doubt),
    ])
    func `is told by the status where the code is new`(status: Int, verdict: CreationVerdict) {
        let error = RivyaError(failure: .refused(.unknown("model_retired")), httpStatus: status)
        #expect(CreationVerdict(error, isInDoubt: false) == verdict)
    }

    @Test(arguments: [
        (RivyaError.Failure.notSent, CreationVerdict.sendAgain), (.noAnswer, .doubt), (.timedOut, .doubt),
        (.unreadableAnswer, .doubt), (.cancelled, .doubt), (.missingAPIKey, .keyRefused),
    ])
    func `is told by the failure where there is no code`(failure: RivyaError.Failure, verdict: CreationVerdict) {
        #expect(CreationVerdict(RivyaError(failure: failure), isInDoubt: false) == verdict)
    }

    @Test(arguments: [200, 302, 400, 404, 502])
    func `is doubt for a page that is no answer, whatever its status`(status: Int) {
        let error = RivyaError(failure: .unreadableAnswer, httpStatus: status)
        #expect(CreationVerdict(error, isInDoubt: false) == .doubt)
    }

    @Test(arguments: ErrorCode.documented)
    func `never ends the hold of a task in doubt`(code: ErrorCode) {
        let error = RivyaError(failure: .refused(code), httpStatus: 400)
        let plain = CreationVerdict(error, isInDoubt: false)
        let inDoubt = CreationVerdict(error, isInDoubt: true)
        switch plain {
        case .reject, .sendAgain, .doubt: #expect(inDoubt == .doubt)
        case .review, .keyRefused: #expect(inDoubt == plain)
        }
    }

    @Test(arguments: [RivyaError.Failure.notSent, .noAnswer, .timedOut, .unreadableAnswer])
    func `is doubt once there is doubt`(failure: RivyaError.Failure) {
        #expect(CreationVerdict(RivyaError(failure: failure), isInDoubt: true) == .doubt)
    }

    @Test func `is doubt where the client's own attempts left it`() {
        let error = RivyaError(
            failure: .refused(.validationFailed), httpStatus: 400, attempts: 2, creationOutcome: .unknown)
        #expect(CreationVerdict(error, isInDoubt: false) == .doubt)
    }

    @Test func `has a word for each failure in the books`() {
        let failures: [RivyaError.Failure] = [
            .refused(.rateLimited), .refused(.unknown("model_retired")), .noAnswer, .notSent, .timedOut,
            .unreadableAnswer, .missingAPIKey, .cancelled,
        ]
        let words = failures.map { RivyaError(failure: $0).code }
        #expect(
            words == [
                "rate_limited", "model_retired", "no_answer", "not_sent", "timed_out", "unreadable_answer",
                "api_key_missing", "cancelled",
            ])
    }
}
