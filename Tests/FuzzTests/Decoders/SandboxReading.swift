@testable import RivyaSandbox

/// The sandbox's decoders. In a file of their own, because client and sandbox use the same names for their own types.
enum SandboxReading {
    struct Field: Equatable {
        let content: [UInt8]
        let fileName: String?
    }

    static func contentType(_ bytes: [UInt8]) -> String? { FileSignature.mimeType(of: bytes[...]) }

    /// The fields of a multipart body, or the provider's sentence.
    static func fields(of body: [UInt8], contentType: String?) -> Result<[String: Field], Refused> {
        do {
            return .success(
                try MultipartForm.fields(of: body, contentType: contentType)
                    .mapValues { Field(content: Array($0.content), fileName: $0.fileName) })
        } catch {
            return .failure(Refused(message: error.message))
        }
    }

    /// Whether the sandbox would make a task of a create request.
    static func accepts(request body: [UInt8]) -> Result<Void, Refused> {
        do {
            _ = try GenerationRequest(body: body, idempotencyKey: "key")
            return .success(())
        } catch {
            return .failure(Refused(message: error.message))
        }
    }

    struct Refused: Error, Equatable { let message: String }
}
