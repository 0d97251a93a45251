import RivyaClient

/// What a worker asks of the provider: ``RivyaClient`` over the network, or one in this process.
public protocol GenerationProvider: Sendable {
    /// Submits a request that was encoded, checked and stored before; the same bytes under the same key make one task.
    func createGeneration(body: [UInt8], idempotencyKey: String) async throws(RivyaError) -> Generation
    /// Asks how far a task is.
    func generation(id: String) async throws(RivyaError) -> Generation
    /// Asks for the wallet's balance.
    func credits() async throws(RivyaError) -> Int64
}

extension RivyaClient: GenerationProvider {}
