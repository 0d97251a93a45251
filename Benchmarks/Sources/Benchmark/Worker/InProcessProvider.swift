import Foundation
import RivyaClient
import Synchronization
import Worker

/// A provider in this process that takes every task and has it done by the next question.
final class InProcessProvider: GenerationProvider {
    private struct State {
        var idOfKey: [String: String] = [:]
        var ended: Set<String> = []
        var createRequests = 0
    }

    private let state = Mutex(State())

    /// How many tasks there are, how many of them were seen ended, and how many create requests came.
    var counts: (tasks: Int, ended: Int, createRequests: Int) {
        state.withLock { ($0.idOfKey.count, $0.ended.count, $0.createRequests) }
    }

    func createGeneration(body: [UInt8], idempotencyKey: String) async throws(RivyaError) -> Generation {
        let id = state.withLock { state in
            state.createRequests += 1
            let id = state.idOfKey[idempotencyKey] ?? "vid_\(state.idOfKey.count + 1)"
            state.idOfKey[idempotencyKey] = id
            return id
        }
        return Generation(id: id, status: .queued, reservedCredits: OurBooks.price, createdAt: Date())
    }

    func generation(id: String) async throws(RivyaError) -> Generation {
        state.withLock { _ = $0.ended.insert(id) }
        return Generation(
            id: id, status: .succeeded, reservedCredits: OurBooks.price, finalCredits: OurBooks.price,
            updatedAt: Date(),
            resultURLs: ["https://cdn.rivya.ai/\(id).mp4"])
    }

    func credits() async throws(RivyaError) -> Int64 { 1_000_000_000_000 }
}
