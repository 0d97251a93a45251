/// How the sandbox behaves: accounts, prices, times, limits and faults.
///
/// Where the provider's documentation is silent, the default is the sandbox's own assumption and says so.
public struct SandboxSettings: Codable, Equatable, Sendable {
    /// The accounts by name, each with one wallet.
    public var accounts: [String: Account]
    /// How long a task takes from its creation to its end.
    public var secondsToFinish: Double
    /// By how much the time to finish differs between tasks, up and down.
    public var secondsToFinishSpread = 0.0
    /// The share of tasks that fail and give everything back, from 0 to 1.
    public var failureShare = 0.0
    /// Requests an account may make in one second; nil for any number.
    public var rateLimitPerSecond: Int?
    /// Prices that differ from the catalog's base credits, by model.
    public var credits: [String: Int] = [:]
    /// Prices of tasks with `duration` `"10"`, by model. The provider does not document them; this is an assumption.
    public var creditsForTenSeconds = ["kling-v2-5-turbo-pro": 84]
    /// HTTP status of a created task. Not documented, so an assumption.
    public var createdStatus = 200
    /// HTTP status of `insufficient_credits`. Not documented, so an assumption.
    public var insufficientCreditsStatus = 402
    /// How a wallet that is too short shows.
    public var insufficientCredits = InsufficientCredits.error
    /// The largest body of a create request.
    public var maximumBodyBytes = 256 * 1024
    /// The largest image or audio file; a video may have five times as much.
    public var maximumFileBytes = 10 * 1024 * 1024
    /// After that many tasks or files the sandbox takes no more.
    public var maximumTasks = 2_000_000
    /// What goes wrong, and how often.
    public var faults: Faults

    /// A customer of the provider: a wallet and the keys to it.
    public struct Account: Codable, Equatable, Sendable {
        /// The keys that open the account, and whether they still do.
        public var keys: [String: KeyState]
        /// The balance the sandbox starts with.
        public var openingCredits: Int
        /// What Studio uses from the same wallet while the sandbox runs.
        public var studioCreditsPerMinute = 0
        /// Scopes that the account's keys lack.
        public var deniedScopes: [String] = []

        /// An account with one active key.
        public init(key: String, openingCredits: Int) {
            keys = [key: .active]
            self.openingCredits = openingCredits
        }

        /// An account as written in settings, where all but its keys and opening credits may be left out.
        public init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: CodingKeys.self)
            keys = try container.decode([String: KeyState].self, forKey: .keys)
            openingCredits = try container.decode(Int.self, forKey: .openingCredits)
            studioCreditsPerMinute = try container.decodeIfPresent(Int.self, forKey: .studioCreditsPerMinute) ?? 0
            deniedScopes = try container.decodeIfPresent([String].self, forKey: .deniedScopes) ?? []
        }

        enum CodingKeys: String, CodingKey, CaseIterable {
            case keys
            case openingCredits = "opening_credits"
            case studioCreditsPerMinute = "studio_credits_per_minute"
            case deniedScopes = "denied_scopes"
        }
    }

    /// Whether a key opens its account.
    public enum KeyState: String, Codable, Sendable {
        /// It does.
        case active
        /// It gives `api_key_revoked`.
        case revoked
        /// It gives `api_key_expired`.
        case expired
    }

    /// The two documented ways in which a wallet that is too short shows.
    public enum InsufficientCredits: String, Codable, Sendable {
        /// The create request is answered with the error, and no task is made.
        case error
        /// A task is made that has failed already; nothing is reserved.
        case failedTask = "failed_task"
    }

    /// The name of the account that is there when none is set.
    public static let defaultAccount = "default"
    /// The key of the account that is there when none is set.
    public static let defaultKey = "rvya_sk_sandbox"

    /// Settings with one account, ``defaultAccount``, opened by ``defaultKey``.
    public init(openingCredits: Int = 10_000, secondsToFinish: Double = 2, faults: Faults = Faults()) {
        accounts = [Self.defaultAccount: Account(key: Self.defaultKey, openingCredits: openingCredits)]
        self.secondsToFinish = secondsToFinish
        self.faults = faults
    }

    enum CodingKeys: String, CodingKey, CaseIterable {
        case accounts, credits, faults
        case secondsToFinish = "seconds_to_finish"
        case secondsToFinishSpread = "seconds_to_finish_spread"
        case failureShare = "failure_share"
        case rateLimitPerSecond = "rate_limit_per_second"
        case creditsForTenSeconds = "credits_for_ten_seconds"
        case createdStatus = "created_status"
        case insufficientCreditsStatus = "insufficient_credits_status"
        case insufficientCredits = "insufficient_credits"
        case maximumBodyBytes = "maximum_body_bytes"
        case maximumFileBytes = "maximum_file_bytes"
        case maximumTasks = "maximum_tasks"
    }

    /// What a task with these params reserves, before any fault.
    func price(of model: ProviderModel, duration: String?) -> Int {
        if duration == "10", let credits = creditsForTenSeconds[model.id] { return credits }
        return credits[model.id] ?? model.baseCredits
    }
}
