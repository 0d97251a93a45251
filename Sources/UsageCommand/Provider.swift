import Ledger
import Logging
import RivyaClient
import Worker

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The provider as a wallet's commands reach it.
enum Provider {
    /// Whether the environment has the wallet's API key.
    static func hasKey(_ wallet: Wallet) -> Bool { Environment.value(wallet.apiKeyVariable) != nil }

    /// Lends a client with the wallet's key to a body.
    static func withClient<Value>(
        of wallet: Wallet, requests: Int = 16, timeout: Duration = .seconds(30), retry: RetryPolicy = .standard,
        _ body: (RivyaClient) async throws -> Value
    ) async throws -> Value {
        let found = try RivyaConfiguration.fromEnvironment(Environment.all, keyVariable: wallet.apiKeyVariable)
        guard found.apiKey != nil else {
            throw Mistake(
                "There is no API key for wallet \(wallet.slug); put it into the environment variable \(wallet.apiKeyVariable)."
            )
        }
        let configuration = try RivyaConfiguration(
            baseURL: found.baseURL, apiKey: found.apiKey, requestTimeout: timeout, maximumConcurrentRequests: requests,
            retry: retry)
        let client = RivyaClient(configuration, logger: Logger(label: "usage.provider"))
        do {
            let value = try await body(client)
            await client.shutdown()
            return value
        } catch {
            await client.shutdown()
            throw error
        }
    }

    /// Takes the wallet's first reading where there is none and the environment has its key, so that the gate opens.
    static func readFirstBalance(of ledger: Ledger, in books: Books) async throws {
        let wallet = ledger.wallet
        guard hasKey(wallet), try await Wallet.all(in: books.pool, slug: wallet.slug).first?.balance.readAt == nil
        else { return }
        try await withClient(of: wallet) { _ = try await ledger.readBalance(from: $0, clock: { SystemClock.now }) }
    }
}
