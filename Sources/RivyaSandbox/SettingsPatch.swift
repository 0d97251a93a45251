#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

extension SandboxSettings {
    /// These settings with those named in a JSON object in their place; what it does not name stays.
    ///
    /// Objects are merged at every depth; `null` takes an optional setting or an entry by name away.
    ///
    /// - Parameter json: For example `{"seconds_to_finish": 5, "faults": {"shares": {"cut": 0.1}}}`.
    /// - Throws: ``SandboxError/invalidSettings(_:)``, saying which setting and how to mend it.
    public func patched(with json: String) throws(SandboxError) -> SandboxSettings {
        let patched: SandboxSettings
        do {
            let patch = try JSONDecoder().decode(JSONValue.self, from: Data(json.utf8))
            try Self.refuseUnknownNames(in: patch)
            let current = try JSONDecoder().decode(JSONValue.self, from: JSONEncoder().encode(self))
            patched = try JSONDecoder().decode(SandboxSettings.self, from: Data(current.merged(with: patch).text.utf8))
        } catch let error as SandboxError {
            throw error
        } catch let DecodingError.typeMismatch(_, context), let DecodingError.dataCorrupted(context),
            let DecodingError.keyNotFound(_, context), let DecodingError.valueNotFound(_, context)
        {
            let path = context.codingPath.map(\.stringValue).joined(separator: ".")
            throw .invalidSettings(
                "\(path.isEmpty ? "the body" : "'\(path)'") cannot be read: \(context.debugDescription)")
        } catch {
            throw .invalidSettings("the settings cannot be read; send a JSON object")
        }
        try patched.check()
        return patched
    }

    /// Refuses settings no sandbox can run with.
    func check() throws(SandboxError) {
        for (fault, share) in faults.shares where !(0...1).contains(share) {
            throw .invalidSettings("the share of '\(fault.rawValue)' is \(share); give a number from 0 to 1")
        }
        guard (0...1).contains(failureShare) else {
            throw .invalidSettings("'failure_share' is \(failureShare); give a number from 0 to 1")
        }
        guard secondsToFinish >= 0, secondsToFinishSpread >= 0, faults.slowSeconds >= 0, secondsToFinish < 1e9,
            secondsToFinishSpread < 1e9, faults.slowSeconds < 1e6
        else { throw .invalidSettings("seconds cannot be negative or endless") }
        guard (200...299).contains(createdStatus), (400...599).contains(insufficientCreditsStatus) else {
            throw .invalidSettings("'created_status' is a 2xx, 'insufficient_credits_status' a 4xx or 5xx")
        }
        let amounts =
            accounts.values.flatMap { [$0.openingCredits, $0.studioCreditsPerMinute] }
            + [faults.failedWithChargeCredits] + Array(credits.values) + Array(creditsForTenSeconds.values)
        let largest = 1_000_000_000_000
        guard amounts.allSatisfy({ (0...largest).contains($0) }) else {
            throw .invalidSettings("credits are whole numbers from 0 to 1,000,000,000,000")
        }
        guard (-largest...largest).contains(faults.priceDifferenceCredits),
            (0...86_400).contains(faults.retryAfterSeconds)
        else {
            throw .invalidSettings(
                "'price_difference_credits' is at most 1,000,000,000,000 up or down, 'retry_after_seconds' 0 to 86,400")
        }
        guard maximumBodyBytes > 0, maximumFileBytes > 0, (1...2_000_000).contains(maximumTasks),
            (rateLimitPerSecond ?? 1) > 0
        else { throw .invalidSettings("maximums are above 0, and 'maximum_tasks' at most 2,000,000") }
        let keys = accounts.values.flatMap(\.keys.keys)
        guard Set(keys).count == keys.count else { throw .invalidSettings("each key opens one account only") }
    }

    /// A misspelt setting would be a silent one.
    private static func refuseUnknownNames(in patch: JSONValue) throws(SandboxError) {
        guard let settings = patch.members else { throw .invalidSettings("send a JSON object of settings") }
        try refuse(settings, besides: CodingKeys.allCases.map(\.rawValue))
        let faults = patch["faults"]?.members ?? []
        try refuse(faults, besides: Faults.CodingKeys.allCases.map(\.rawValue))
        try refuse(patch["faults"]?["shares"]?.members ?? [], besides: Fault.allCases.map(\.rawValue))
        for account in patch["accounts"]?.members ?? [] {
            try refuse(account.value.members ?? [], besides: Account.CodingKeys.allCases.map(\.rawValue))
        }
    }

    private static func refuse(_ members: [JSONValue.Member], besides known: [String]) throws(SandboxError) {
        guard let member = members.first(where: { !known.contains($0.name) }) else { return }
        throw .invalidSettings("there is no '\(member.name)' here; known are \(known.joined(separator: ", "))")
    }
}
