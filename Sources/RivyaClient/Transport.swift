import AsyncHTTPClient
import FailurePoints
import Logging
import NIOCore
import NIOHTTP1
import NIOPosix

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

/// One request as it goes out.
struct OutgoingRequest: Sendable {
    let kind: RequestKind
    let method: HTTPMethod
    /// Begins with a slash and is appended to the base URL.
    let path: String
    var headers: [(name: String, value: String)] = []
    var body: RequestBody?
    let timeout: Duration
    var maximumAnswerBytes = 1_048_576
    var sendsKey = true
    /// Whether it may use a connection that had another request before: only where the answer itself says what it
    /// answers. An answer that comes twice would pass for the one to the next request.
    var mayShareConnection = false
}

/// Makes single attempts, and says of each failure what it was.
struct Transport: Sendable {
    private struct AnswerTooLarge: Error {
        let status: Int
        let limit: Int
    }

    private let configuration: RivyaConfiguration
    private let redaction: Redaction
    /// Keeps connections for later requests.
    private let http: HTTPClient
    /// Opens a connection for each request, and never has an old one.
    private let single: HTTPClient
    private let deadlines = Deadlines()

    init(_ configuration: RivyaConfiguration) {
        self.configuration = configuration
        redaction = Redaction(key: configuration.apiKey)
        var settings = HTTPClient.Configuration()
        // The key goes to the configured address and nowhere else.
        settings.redirectConfiguration = .disallow
        settings.timeout.connect = TimeAmount(min(configuration.requestTimeout, .seconds(10)))
        settings.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = configuration.maximumConcurrentRequests
        // The retry policy decides, so that a refused connection is known as one at once.
        settings.connectionPool.retryConnectionEstablishment = false
        settings.httpVersion = .http1Only
        http = HTTPClient(eventLoopGroupProvider: .singleton, configuration: settings)
        single = HTTPClient(eventLoopGroupProvider: .singleton, configuration: settings)
    }

    func shutdown() async {
        // Only a second shutdown fails, and it asks for what is already so.
        try? await http.shutdown()
        try? await single.shutdown()
    }

    /// Sends the request once.
    func attempt(_ request: OutgoingRequest) async -> Result<Answer, RivyaError> {
        var request = request
        request.body = request.body?.again(for: request.kind)
        let attempted = request
        FailurePoint.reach("before \(request.kind)")
        // An answer that arrives together with the timeout still counts.
        let (result, expired) = await deadlines.run(atMost: attempted.timeout) { await exchange(attempted) }
        FailurePoint.reach("after \(request.kind)")
        switch result {
        case .success(let answer): return .success(answer)
        case .failure(let error):
            let cancelled = Task.isCancelled
            return .failure(
                failure(error, of: attempted, expired: expired && !cancelled, cancelled: cancelled))
        }
    }

    private func exchange(_ request: OutgoingRequest) async -> Result<Answer, any Error> {
        var outgoing = HTTPClientRequest(url: configuration.baseURL + request.path)
        outgoing.method = request.method
        outgoing.headers.add(name: "Accept", value: "application/json")
        outgoing.headers.add(name: "User-Agent", value: "rivya-client")
        if !request.mayShareConnection { outgoing.headers.add(name: "Connection", value: "close") }
        for (name, value) in request.headers { outgoing.headers.add(name: name, value: value) }
        if request.sendsKey, let key = configuration.apiKey {
            outgoing.headers.add(name: "Authorization", value: "Bearer \(key.secret)")
        }
        if let body = request.body { outgoing.body = .stream(body, length: .known(Int64(body.count))) }
        do {
            let client = request.mayShareConnection ? http : single
            let response = try await client.execute(outgoing, deadline: .now() + TimeAmount(request.timeout))
            let status = Int(response.status.code)
            let retryAfter = response.headers.first(name: "Retry-After").flatMap { RetryAfter.read($0, now: Date()) }
            var body: [UInt8] = []
            for try await piece in response.body {
                guard body.count + piece.readableBytes <= request.maximumAnswerBytes else {
                    throw AnswerTooLarge(status: status, limit: request.maximumAnswerBytes)
                }
                body += piece.readableBytesView
            }
            // A cancelled body may end early without an error.
            try Task.checkCancellation()
            return .success(Answer(status: status, retryAfter: retryAfter, body: body))
        } catch {
            return .failure(error)
        }
    }

    private func failure(
        _ error: any Error, of request: OutgoingRequest, expired: Bool, cancelled: Bool
    ) -> RivyaError {
        // A body proves by itself what was sent; without one, the kind of error has to tell.
        let neverSent = request.body.map { !$0.progress.hasBegun } ?? Self.isConnectionFailure(error)
        if let violation = error as? ContractViolation {
            return RivyaError(failure: .contractViolation(violation), message: violation.description)
        }
        if cancelled || (error as? HTTPClientError) == .alreadyShutdown {
            return RivyaError(
                failure: .cancelled, message: "the caller gave up", creationOutcome: neverSent ? .notTaken : nil)
        }
        if let tooLarge = error as? AnswerTooLarge {
            return RivyaError(
                failure: .unreadableAnswer, httpStatus: tooLarge.status,
                message: "the answer is longer than \(tooLarge.limit) bytes")
        }
        if neverSent {
            return RivyaError(failure: .notSent, message: reason(error, expired: expired))
        }
        if expired || [.deadlineExceeded, .readTimeout, .writeTimeout].contains(error as? HTTPClientError) {
            return RivyaError(failure: .timedOut, message: "no complete answer within \(request.timeout)")
        }
        if error is HTTPParserError {
            return RivyaError(failure: .unreadableAnswer, message: "the answer is not HTTP")
        }
        return RivyaError(failure: .noAnswer, message: "the request may have arrived")
    }

    private static func isConnectionFailure(_ error: any Error) -> Bool {
        switch error {
        case is NIOConnectionError: true
        case let error as HTTPClientError:
            [.connectTimeout, .getConnectionFromPoolTimeout, .tlsHandshakeTimeout].contains(error)
        // An address instead of a name is connected to directly, and the system's own error comes back.
        case let error as IOError: [ECONNREFUSED, ENETUNREACH, EHOSTUNREACH].contains(error.errnoCode)
        default: false
        }
    }

    private func reason(_ error: any Error, expired: Bool) -> String {
        if let error = error as? NIOConnectionError {
            guard let first = error.connectionErrors.first else { return "the name cannot be looked up" }
            return words(first.error)
        }
        if expired || error is HTTPClientError { return "no connection was opened in time" }
        return "the connection could not be opened: \(words(error))"
    }

    /// An error of the system by its own words alone, such as "Connection refused".
    private func words(_ error: any Error) -> String {
        guard let error = error as? IOError else { return redaction.clean("\(error)") }
        return String(cString: strerror(error.errnoCode))
    }
}
