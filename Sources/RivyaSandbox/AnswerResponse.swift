import HTTPTypes
import Hummingbird
import NIOCore

extension HTTPField.Name {
    static let idempotencyKey = Self("Idempotency-Key")!
}

extension Answer {
    /// The whole answer.
    var response: Response { response(body: ByteBuffer(string: body.text)) }

    /// The answer with the second half of its JSON missing, as if that were all.
    var brokenResponse: Response { response(body: ByteBuffer(string: firstHalf)) }

    /// The answer up to its middle, where the connection closes.
    func response(cutMidwayOf channel: any Channel) -> Response {
        let half = ByteBuffer(string: firstHalf)
        var response = response(body: ByteBuffer())
        response.headers[.contentLength] = String(body.text.utf8.count)
        response.body = ResponseBody(contentLength: body.text.utf8.count) { writer in
            try await writer.write(half)
            try await channel.close()
        }
        return response
    }

    private var firstHalf: String {
        let text = body.text
        return String(decoding: text.utf8.prefix(text.utf8.count / 2), as: UTF8.self)
    }

    private func response(body: ByteBuffer) -> Response {
        var headers: HTTPFields = [.contentType: "application/json"]
        if let retryAfterSeconds { headers[.retryAfter] = String(retryAfterSeconds) }
        return Response(status: .init(code: status), headers: headers, body: ResponseBody(byteBuffer: body))
    }
}

extension Response {
    /// What a gateway says when the server behind it has gone away: no JSON, no code.
    static var badGateway: Response {
        Response(
            status: .badGateway, headers: [.contentType: "text/html"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: "<html><body>502 Bad Gateway</body></html>")))
    }
}

/// Answers paths nobody serves, and methods they do not take, with the documented error body.
struct UnknownPathMiddleware: RouterMiddleware {
    let books: SandboxBooks

    func handle(
        _ request: Request, context: SandboxContext, next: (Request, SandboxContext) async throws -> Response
    ) async throws -> Response {
        do {
            return try await next(request, context)
        } catch is HTTPError {
            return await ProviderError.notFound.answer(requestID: books.nextRequestID()).response
        }
    }
}
