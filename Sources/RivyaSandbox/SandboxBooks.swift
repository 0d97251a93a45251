#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The provider's side of the story: wallets, tasks and files, and what each request does to them. Knows no HTTP.
///
/// Nothing runs in the background: whatever the clock has brought about is booked when the books are next looked at.
public actor SandboxBooks {
    /// How the sandbox behaves now; change it with ``apply(_:)`` or ``change(_:)``.
    public private(set) var settings: SandboxSettings
    private let clock: @Sendable () -> Date
    private var wallets: [Wallet] = []
    private var walletByName: [String: Int] = [:]
    private var accountByKey: [String: (wallet: Int, state: SandboxSettings.KeyState)] = [:]
    private var tasks: [TaskRecord] = []
    private var taskByID: [String: Int] = [:]
    private var due = DueTasks()
    private var files: [String: StoredFile] = [:]
    private var fileByURL: [String: String] = [:]
    private var faultPlan = FaultPlan()
    private var requestsByEndpoint: [SandboxEndpoint: Int] = [:]
    private var requestCount: UInt64 = 0
    private var faultCounts: [Fault: Int] = [:]
    nonisolated let requestsUnderWay = RequestsUnderWay()

    /// Books with nothing in them but the opening balances.
    ///
    /// - Parameter clock: What time it is; it may stand still or jump.
    /// - Throws: ``SandboxError/invalidSettings(_:)``.
    public init(settings: SandboxSettings, clock: @escaping @Sendable () -> Date) throws(SandboxError) {
        try settings.check()
        self.settings = settings
        self.clock = clock
        let now = clock()
        for (name, account) in settings.accounts.sorted(by: { $0.key < $1.key }) {
            walletByName[name] = wallets.count
            for (key, state) in account.keys { accountByKey[key] = (wallets.count, state) }
            wallets.append(Wallet(name: name, openingCredits: account.openingCredits, at: now))
        }
    }

    // MARK: Requests

    /// A request that has come in: its id, its faults, and the wallet it may use or why it may not.
    struct OpenedRequest: Sendable {
        let id: String
        let faults: [Fault]
        let access: Result<Int, ProviderError>
        let settings: SandboxSettings
    }

    /// Counts a request, draws its faults and looks at its key.
    func open(_ endpoint: SandboxEndpoint, authorization: String?) -> OpenedRequest {
        let now = bookWhatIsDue()
        requestsByEndpoint[endpoint, default: 0] += 1
        let faults = faultPlan.next(endpoint, settings.faults)
        for fault in faults where !fault.concernsTask { faultCounts[fault, default: 0] += 1 }
        let access: Result<Int, ProviderError>
        do throws(ProviderError) {
            access = .success(try wallet(for: endpoint, authorization, at: now))
        } catch {
            access = .failure(error)
        }
        return OpenedRequest(id: nextRequestID(), faults: faults, access: access, settings: settings)
    }

    /// The id of a request that is in no endpoint's count.
    func nextRequestID() -> String {
        requestCount += 1
        return "req_" + String(SplitMix64.mix(requestCount), radix: 36)
    }

    private func wallet(
        for endpoint: SandboxEndpoint, _ authorization: String?, at now: Date
    ) throws(ProviderError) -> Int {
        guard let authorization, authorization.hasPrefix("Bearer ") else { throw .keyMissing }
        guard let (wallet, state) = accountByKey[String(authorization.dropFirst(7))] else { throw .keyInvalid }
        switch state {
        case .active: break
        case .revoked: throw .keyRevoked
        case .expired: throw .keyExpired
        }
        if let denied = settings.accounts[wallets[wallet].name]?.deniedScopes, denied.contains(endpoint.scope) {
            throw .scopeDenied(endpoint.scope)
        }
        guard wallets[wallet].countRequest(limit: settings.rateLimitPerSecond, at: now) else {
            throw .rateLimited(retryAfterSeconds: 1)
        }
        return wallet
    }

    /// Makes a task and takes its credits, or finds the one its idempotency key has made.
    ///
    /// That the same key and body answers with the task's present state is an assumption: the provider does not say.
    func submit(_ request: GenerationRequest, faults: [Fault], wallet: Int) throws(ProviderError) -> JSONValue {
        let now = bookWhatIsDue()
        if let key = request.idempotencyKey, let known = wallets[wallet].taskByKey[key] {
            guard tasks[known].bodySHA256 == request.bodySHA256 else {
                wallets[wallet].idempotencyConflicts += 1
                throw .idempotencyConflict
            }
            tasks[known].createRequests += 1
            return tasks[known].json(at: now)
        }
        for url in request.referenceURLs {
            guard let file = fileByURL[url].flatMap({ files[$0] }), file.wallet == wallet else {
                throw .validationFailed("A reference media item's 'url' is not that of a file you uploaded.")
            }
        }
        guard tasks.count < settings.maximumTasks else { throw .full }
        let number = UInt64(tasks.count)
        let faults = faults + FaultPlan.task(number: number, settings.faults)
        for fault in faults where fault.concernsTask { faultCounts[fault, default: 0] += 1 }
        var credits = settings.price(of: request.model, duration: request.duration)
        if faults.contains(.priceDifference) { credits = max(0, credits + settings.faults.priceDifferenceCredits) }
        let isPaid = wallets[wallet].take(credits)
        if !isPaid {
            wallets[wallet].insufficientAnswers += 1
            guard settings.insufficientCredits == .failedTask else {
                throw .insufficientCredits(status: settings.insufficientCreditsStatus)
            }
        }
        let index = tasks.count
        tasks.append(newTask(request, number, credits: isPaid ? credits : 0, isPaid, faults, wallet, at: now))
        taskByID[tasks[index].id] = index
        if isPaid { due.insert(index, at: tasks[index].finishesAt) }
        if let key = request.idempotencyKey { wallets[wallet].taskByKey[key] = index }
        bookWhatIsDue(at: now)
        return tasks[index].json(at: now)
    }

    private func newTask(
        _ request: GenerationRequest, _ number: UInt64, credits: Int, _ isPaid: Bool, _ faults: [Fault], _ wallet: Int,
        at now: Date
    ) -> TaskRecord {
        var draw = SplitMix64(seed: settings.faults.seed, stream: 100, number: number)
        let spread = settings.secondsToFinishSpread * (2 * draw.fraction() - 1)
        let seconds = max(0, settings.secondsToFinish + spread)
        let isFailure = draw.isHit(share: settings.failureShare)
        let end: TaskRecord.End
        if faults.contains(.failedWithCharge) {
            let kept = min(credits, settings.faults.failedWithChargeCredits)
            end = .failed(finalCredits: kept, code: "generation_failed")
        } else if isFailure {
            end = .failed(finalCredits: 0, code: "generation_failed")
        } else {
            end = .succeeded(finalCredits: credits)
        }
        let model = request.model.id.map { $0 == "-" ? "_" : $0 }
        let suffix = String(SplitMix64.mix(number &+ 0x9E37_79B9_7F4A_7C15), radix: 36)
        return TaskRecord(
            id: "task_\(String(model))_\(suffix)", wallet: wallet, idempotencyKey: request.idempotencyKey,
            bodySHA256: request.bodySHA256, modelID: request.model.id, clientRequestID: request.clientRequestID,
            reservedCredits: credits, createdAt: now, processingAt: now + seconds / 3, finishesAt: now + seconds,
            plannedEnd: end,
            ended: isPaid ? nil : (.failed(finalCredits: 0, code: "insufficient_credits"), now))
    }

    /// The present state of the task that an account made before one; nil where that was its first.
    func taskBefore(_ id: String, wallet: Int) -> JSONValue? {
        let now = bookWhatIsDue()
        return taskByID[id].flatMap { tasks[..<$0].last { $0.wallet == wallet } }?.json(at: now)
    }

    /// The present state of one of an account's tasks.
    func task(_ id: String, wallet: Int) throws(ProviderError) -> JSONValue {
        let now = bookWhatIsDue()
        guard let index = taskByID[id], tasks[index].wallet == wallet else { throw .notFound }
        return tasks[index].json(at: now)
    }

    /// The balance of a wallet; what is reserved is out of it already.
    func balance(wallet: Int) -> Int {
        bookWhatIsDue()
        return wallets[wallet].currentCredits
    }

    /// Keeps a file's description.
    func store(_ upload: FileUpload, wallet: Int) throws(ProviderError) -> JSONValue {
        guard files.count < settings.maximumTasks else { throw .full }
        let id = "file_" + String(SplitMix64.mix(UInt64(files.count) &+ 0xF11E_F11E_F11E_F11E), radix: 36)
        let file = StoredFile(id: id, wallet: wallet, upload: upload, createdAt: bookWhatIsDue())
        files[id] = file
        fileByURL[file.url] = id
        return file.json
    }

    /// The description of one of an account's files.
    func file(_ id: String, wallet: Int) throws(ProviderError) -> JSONValue {
        guard let file = files[id], file.wallet == wallet else { throw .notFound }
        return file.json
    }

    // MARK: Time

    /// Books every end of a task and every Studio credit that the clock has brought about.
    @discardableResult
    private func bookWhatIsDue() -> Date {
        let now = clock().wholeMilliseconds
        bookWhatIsDue(at: now)
        return now
    }

    private func bookWhatIsDue(at now: Date) {
        while let index = due.next(until: now) {
            if tasks[index].ended == nil { end(index, tasks[index].plannedEnd, at: tasks[index].finishesAt) }
        }
        for (name, account) in settings.accounts where account.studioCreditsPerMinute > 0 {
            guard let wallet = walletByName[name] else { continue }
            wallets[wallet].spendInStudio(creditsPerMinute: account.studioCreditsPerMinute, until: now)
        }
    }

    private func end(_ index: Int, _ end: TaskRecord.End, at date: Date) {
        wallets[tasks[index].wallet].settle(reserved: tasks[index].reservedCredits, final: end.finalCredits)
        tasks[index].ended = (end, date)
    }

    // MARK: Control

    /// Changes settings while the sandbox runs; tasks that exist keep their price and end.
    ///
    /// - Throws: ``SandboxError/invalidSettings(_:)``, also if an account would open with another balance.
    public func apply(_ changed: SandboxSettings) throws(SandboxError) {
        try changed.check()
        for (name, account) in changed.accounts {
            if let wallet = walletByName[name], wallets[wallet].openingCredits != account.openingCredits {
                throw .invalidSettings("account '\(name)' has opened already; top it up with POST /sandbox/studio")
            }
        }
        let now = bookWhatIsDue()
        for (name, account) in changed.accounts.sorted(by: { $0.key < $1.key }) where walletByName[name] == nil {
            walletByName[name] = wallets.count
            wallets.append(Wallet(name: name, openingCredits: account.openingCredits, at: now))
        }
        for wallet in wallets.indices { wallets[wallet].studioSince = now }
        accountByKey = [:]
        for (name, account) in changed.accounts {
            guard let wallet = walletByName[name] else { continue }
            for (key, state) in account.keys { accountByKey[key] = (wallet, state) }
        }
        settings = changed
    }

    /// Changes settings in place, as ``apply(_:)`` does.
    public func change(_ change: @Sendable (inout SandboxSettings) -> Void) throws(SandboxError) {
        var changed = settings
        change(&changed)
        try apply(changed)
    }

    /// Ends a task now.
    ///
    /// - Parameter finalCredits: What it costs in the end: all that was reserved if it succeeded, nothing if it
    ///   failed, unless given.
    /// - Throws: ``SandboxError/unknownTask(_:)``, ``SandboxError/alreadyFinished(_:)``, or
    ///   ``SandboxError/invalidCredits(_:)`` if the wallet cannot pay the difference.
    public func finish(_ taskID: String, _ outcome: TaskOutcome, finalCredits: Int? = nil) throws(SandboxError) {
        let now = bookWhatIsDue()
        guard let index = taskByID[taskID] else { throw .unknownTask(taskID) }
        let task = tasks[index]
        guard task.ended == nil else { throw .alreadyFinished(taskID) }
        let credits = finalCredits ?? (outcome == .succeeded ? task.reservedCredits : 0)
        guard credits >= 0 else { throw .invalidCredits("final credits cannot be negative") }
        guard credits - task.reservedCredits <= wallets[task.wallet].currentCredits else {
            throw .invalidCredits("the wallet has only \(wallets[task.wallet].currentCredits) more")
        }
        switch outcome {
        case .succeeded: end(index, .succeeded(finalCredits: credits), at: now)
        case .failed: end(index, .failed(finalCredits: credits, code: "generation_failed"), at: now)
        }
    }

    /// Changes what a task that has ended costs: whether the provider does that is not documented.
    ///
    /// - Throws: ``SandboxError/unknownTask(_:)``, ``SandboxError/notFinished(_:)``, or
    ///   ``SandboxError/invalidCredits(_:)`` if the wallet cannot pay the difference.
    public func revise(_ taskID: String, finalCredits: Int) throws(SandboxError) {
        let now = bookWhatIsDue()
        guard let index = taskByID[taskID] else { throw .unknownTask(taskID) }
        let task = tasks[index]
        guard let ended = task.ended else { throw .notFinished(taskID) }
        guard finalCredits >= 0 else { throw .invalidCredits("final credits cannot be negative") }
        let more = finalCredits - ended.end.finalCredits
        guard more <= wallets[task.wallet].currentCredits else {
            throw .invalidCredits("the wallet has only \(wallets[task.wallet].currentCredits) more")
        }
        wallets[task.wallet].charge(more)
        switch ended.end {
        case .succeeded: tasks[index].ended = (.succeeded(finalCredits: finalCredits), now)
        case .failed(_, let code): tasks[index].ended = (.failed(finalCredits: finalCredits, code: code), now)
        }
    }

    /// Spends credits of a wallet in Studio, as far as they go; negative credits are a top-up.
    ///
    /// - Returns: The balance after it.
    @discardableResult
    public func spendInStudio(
        _ credits: Int, account: String = SandboxSettings.defaultAccount
    ) throws(SandboxError) -> Int {
        guard abs(credits.clamped) == credits.magnitude else {
            throw .invalidCredits("spend or buy at most 1,000,000,000,000 at once")
        }
        guard let wallet = walletByName[account] else { throw .unknownAccount(account) }
        bookWhatIsDue()
        _ = wallets[wallet].spendInStudio(credits)
        return wallets[wallet].currentCredits
    }

    /// Lets the next requests to an endpoint meet a fault, whatever the shares say; orders are met one after another.
    public func failNext(_ fault: Fault, times: Int = 1, on endpoint: SandboxEndpoint) {
        faultPlan.order(fault, times: times, on: endpoint)
    }

    // MARK: Report

    /// The account of everything, as it stands now.
    public func report(includingTasks: Bool = true) -> BooksReport {
        let now = bookWhatIsDue()
        var counts = [Int](repeating: 0, count: wallets.count)
        for task in tasks { counts[task.wallet] += 1 }
        let accounts = wallets.indices.map { index in
            BooksReport.Account(name: wallets[index].name, totals: wallets[index].totals(tasks: counts[index]))
        }
        let requests = requestsByEndpoint.map { ($0.key.rawValue, $0.value) }
        return BooksReport(
            at: now.iso8601, accounts: accounts, totals: accounts.reduce(into: .init()) { $0.add($1.totals) },
            tasks: includingTasks ? tasks.map { $0.line(account: wallets[$0.wallet].name, at: now) } : [],
            requests: Dictionary(uniqueKeysWithValues: requests), mostRequestsAtOnce: requestsUnderWay.most,
            faults: Dictionary(uniqueKeysWithValues: faultCounts.map { ($0.key.rawValue, $0.value) }))
    }
}

/// How a task is made to end.
public enum TaskOutcome: String, Codable, Sendable {
    /// With a result.
    case succeeded
    /// Without one.
    case failed
}

extension Int {
    fileprivate var clamped: Int { Swift.min(Swift.max(self, -1_000_000_000_000), 1_000_000_000_000) }
}
