#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// One task in the sandbox's books.
struct TaskRecord: Sendable {
    let id: String
    let wallet: Int
    let idempotencyKey: String?
    let bodySHA256: String
    let modelID: String
    let clientRequestID: String?
    let reservedCredits: Int
    let createdAt: Date
    let processingAt: Date
    /// When it ends by itself, and how.
    let finishesAt: Date
    let plannedEnd: End
    /// How it has ended, and when.
    var ended: (end: End, at: Date)?
    var createRequests = 1

    enum End: Sendable {
        case succeeded(finalCredits: Int)
        case failed(finalCredits: Int, code: String)

        var finalCredits: Int {
            switch self {
            case .succeeded(let credits), .failed(let credits, _): credits
            }
        }
    }

    func status(at now: Date) -> TaskStatus {
        switch ended?.end {
        case .succeeded: .succeeded
        case .failed: .failed
        case nil: now < processingAt ? .queued : .processing
        }
    }

    var finalCredits: Int { ended?.end.finalCredits ?? 0 }

    func updatedAt(at now: Date) -> Date {
        if let ended { return ended.at }
        return now < processingAt ? createdAt : processingAt
    }

    /// The task object of the documentation.
    func json(at now: Date) -> JSONValue {
        let status = status(at: now)
        let fileExtension = ModelCatalog.byID[modelID]?.category == "image" ? "png" : "mp4"
        let url = "https://results.rivya-sandbox.invalid/\(id).\(fileExtension)"
        var error = JSONValue.null
        if case .failed(_, let code) = ended?.end {
            let message = code == "insufficient_credits" ? "Too few credits." : "The generation failed."
            error = ["code": .string(code), "message": .string(message)]
        }
        return [
            "id": .string(id), "status": .string(status.rawValue), "model": .string(modelID),
            "reserved_credits": .integer(reservedCredits), "final_credits": .integer(finalCredits),
            "created_at": .string(createdAt.iso8601), "updated_at": .string(updatedAt(at: now).iso8601),
            "result": status == .succeeded ? ["primary_url": .string(url), "urls": JSONValue([url])] : .null,
            "error": error,
        ]
    }
}

/// The states of a task that the provider documents.
public enum TaskStatus: String, Codable, Sendable {
    /// Accepted, not started.
    case queued
    /// Running.
    case processing
    /// Ended with a result.
    case succeeded
    /// Ended without one.
    case failed
}

extension Date {
    /// ISO 8601 in UTC with milliseconds, as the provider writes it.
    var iso8601: String { formatted(Self.withMilliseconds) }

    private static let withMilliseconds = Date.ISO8601FormatStyle(includingFractionalSeconds: true)

    /// The moment cut to whole milliseconds, so that what is written is what is kept.
    var wholeMilliseconds: Date {
        // The half millisecond keeps the formatter's own cut from landing on the one before.
        Date(timeIntervalSince1970: ((timeIntervalSince1970 * 1000).rounded(.down) + 0.25) / 1000)
    }
}
