import Logging
import NIOCore
import NIOPosix
import Synchronization

@testable import RivyaClient

/// A server on loopback that plays prepared answers, byte for byte, and keeps what it was sent.
final class ScriptedServer: Sendable {
    enum Step: Sendable {
        /// These bytes; the connection stays open.
        case bytes(String)
        /// These bytes, then the end of the connection.
        case bytesThenCut(String)
        /// Nothing, ever.
        case silence
        /// These bytes once ``release()`` is called.
        case held(String)

        static func answer(
            _ status: Int = 200, _ body: String, headers: String = ""
        ) -> Step {
            .bytes("HTTP/1.1 \(status) Status\r\nContent-Length: \(body.utf8.count)\r\n\(headers)\r\n\(body)")
        }

        static func refusal(_ status: Int, _ code: String, headers: String = "") -> Step {
            .answer(
                status, #"{"error":{"code":"\#(code)","message":"Sorry.","requestId":"req_1"}}"#, headers: headers)
        }

        static let cut = bytesThenCut("")
    }

    struct Request: Sendable {
        let head: String
        let body: [UInt8]

        var line: String { String(head.prefix { $0 != "\r\n" }) }

        func header(_ name: String) -> String? {
            head.split(separator: "\r\n").first { $0.lowercased().hasPrefix(name.lowercased() + ": ") }
                .map { String($0.dropFirst(name.count + 2)) }
        }
    }

    private struct State {
        var steps: ArraySlice<Step>
        var requests: [Request] = []
        var held: [(channel: any Channel, bytes: String)] = []
        var mostHeld = 0
        var repeated: String?
    }

    private let state: Mutex<State>
    private let arrived: AsyncStream<Void>.Continuation
    /// One element for each request.
    let arrivals: AsyncStream<Void>

    init(_ steps: [Step]) {
        state = Mutex(State(steps: steps[...]))
        (arrivals, arrived) = AsyncStream.makeStream()
    }

    var requests: [Request] { state.withLock { $0.requests } }

    /// The most requests that waited for an answer at once.
    var mostHeld: Int { state.withLock { $0.mostHeld } }

    /// Answers the request that has waited longest.
    func release() {
        let held = state.withLock { $0.held.isEmpty ? nil : $0.held.removeFirst() }
        held?.channel.writeAndFlush(ByteBuffer(string: held?.bytes ?? ""), promise: nil)
    }

    /// Runs a client against a server that plays these steps, one for each request.
    static func run<Value: Sendable>(
        _ steps: [Step], retry: RetryPolicy = .never, timeout: Duration = .seconds(20), concurrent: Int = 16,
        scheme: String = "http", key: String? = sampleKey,
        logger: Logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }),
        _ work: @Sendable (RivyaClient, ScriptedServer) async throws -> Value
    ) async throws -> Value {
        let server = ScriptedServer(steps)
        let listener = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(ScriptedConnection(server))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let client = RivyaClient(
            try RivyaConfiguration(
                baseURL: "\(scheme)://127.0.0.1:\(listener.localAddress?.port ?? 0)",
                apiKey: key.map { try APIKey($0) },
                requestTimeout: timeout, uploadTimeout: timeout, maximumConcurrentRequests: concurrent, retry: retry),
            logger: logger)
        let result: Result<Value, any Error>
        do { result = .success(try await work(client, server)) } catch { result = .failure(error) }
        await client.shutdown()
        try await listener.close()
        return try result.get()
    }

    /// From now on, a request on a connection that had one before gets these bytes first.
    func repeatOnOldConnections(_ bytes: String) { state.withLock { $0.repeated = bytes } }

    fileprivate func received(_ request: Request, on channel: any Channel, isFirst: Bool) {
        if !isFirst, let repeated = state.withLock({ $0.repeated }) {
            channel.writeAndFlush(ByteBuffer(string: repeated), promise: nil)
        }
        let step = state.withLock { state in
            state.requests.append(request)
            return state.steps.popFirst() ?? .answer(599, "the script has ended")
        }
        switch step {
        case .bytes(let text): channel.writeAndFlush(ByteBuffer(string: text), promise: nil)
        case .bytesThenCut(let text):
            channel.writeAndFlush(ByteBuffer(string: text)).whenComplete { _ in channel.close(promise: nil) }
        case .silence: break
        case .held(let text):
            state.withLock { state in
                state.held.append((channel, text))
                state.mostHeld = max(state.mostHeld, state.held.count)
            }
        }
        arrived.yield()
    }
}

let sampleKey = "rvya_sk_test_0123456789abcdef"

/// Cuts the bytes of one connection into requests.
private final class ScriptedConnection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let server: ScriptedServer
    private var bytes: [UInt8] = []
    private var hasHadRequest = false

    init(_ server: ScriptedServer) {
        self.server = server
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        bytes += unwrapInboundIn(data).readableBytesView
        // The first byte of a TLS client: answered as a plain server would.
        if bytes.first == 0x16 {
            context.writeAndFlush(NIOAny(ByteBuffer(string: "HTTP/1.1 400 Bad Request\r\n\r\n")), promise: nil)
            context.close(promise: nil)
            return
        }
        while let end = bytes.firstRange(of: Array("\r\n\r\n".utf8)) {
            let head = String(decoding: bytes[..<end.lowerBound], as: UTF8.self)
            let plain = ScriptedServer.Request(head: head, body: [])
            let length = plain.header("Content-Length").flatMap { Int($0) } ?? 0
            guard bytes.count >= end.upperBound + length else { return }
            let body = Array(bytes[end.upperBound..<(end.upperBound + length)])
            bytes.removeFirst(end.upperBound + length)
            server.received(
                ScriptedServer.Request(head: head, body: body), on: context.channel, isFirst: !hasHadRequest)
            hasHadRequest = true
        }
    }
}

/// Keeps every line logged, with its metadata.
struct CapturedLog: Sendable {
    final class Lines: Sendable {
        private let state = Mutex<[String]>([])
        var all: [String] { state.withLock { $0 } }
        func add(_ line: String) { state.withLock { $0.append(line) } }
    }

    struct Handler: LogHandler {
        let lines: Lines
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.trace

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            lines.add("\(event.message) \(event.metadata ?? [:])")
        }
    }

    let lines = Lines()

    var logger: Logger {
        let lines = lines
        return Logger(label: "test", factory: { _ in Handler(lines: lines) })
    }
}

/// A generator whose sequence follows from its seed (splitmix64), so a failing input can be made again.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

extension RetryPolicy {
    /// Repeats without waiting, so a test takes no time.
    static func eager(_ attempts: Int = 4) -> RetryPolicy {
        RetryPolicy(maximumAttempts: attempts, baseDelay: .zero, maximumDelay: .zero, maximumRetryAfter: .seconds(60))
    }
}

/// The error that an act ends with, or nothing if it succeeds.
func failure(_ act: () async throws(RivyaError) -> some Sendable) async -> RivyaError? {
    do {
        _ = try await act()
        return nil
    } catch {
        return error
    }
}
