import Foundation
import RivyaSandbox

/// Everything that a storm will do, decided by its seed alone. The rounds of events and the callers' submissions have no
/// end; each is made when it is asked for, and is the same each time.
struct Plan: Sendable {
    /// A wallet, with an account of its own at the provider.
    struct Wallet: Sendable {
        let slug: String
        let timeZone: String
        let projects: [String]

        var keyVariable: String { slug == "main" ? "RIVYA_API_KEY" : "RIVYA_API_KEY_\(slug.uppercased())" }
        var key: String { "rvya_sk_storm_\(slug)" }
    }

    /// Seconds of one round of events.
    static let roundSeconds = 8.0
    /// The most callers at a time.
    static let maximumCallers = 50

    let seed: UInt64
    /// Whether processes have clocks that differ by up to some hours.
    let isSkewed: Bool
    let wallets: [Wallet]
    /// The wallet of each worker.
    let workers: [Wallet]
    /// The first turning point that the storm passes.
    let firstTurningPoint: Int
    let start: Date
    let openingCredits: Int

    init(seed: UInt64, isSkewed: Bool) {
        self.seed = seed
        self.isSkewed = isSkewed
        var random = Random(seed: seed, .world)
        let names = ["main", "studio", "agency"]
        let zones = TurningPoint.zones.shuffled(using: &random)
        wallets = (0..<random.int(1...3)).map { number in
            Wallet(
                slug: names[number], timeZone: number == 0 ? "UTC" : zones[number],
                projects: Array(["adverts", "films", "games"].prefix(random.int(2...3))))
        }
        let count = max(wallets.count, random.int(1...4))
        workers = (0..<count).map { [wallets] in wallets[$0 % wallets.count] }
        firstTurningPoint = random.int(0...TurningPoint.inTwoYears)
        // Some seconds into the storm, so that tasks are under way then.
        start = TurningPoint.all[firstTurningPoint].moment - random.double(3...7)
        openingCredits = random.int(100...400) * 42
    }

    /// The events of a round, in order.
    func events(ofRound round: Int) -> [Event] {
        var draw = EventDraw(plan: self, round: round)
        return draw.events()
    }

    /// The events of the first seconds.
    func events(until seconds: Double) -> [Event] {
        (0...Int(seconds / Plan.roundSeconds)).flatMap { events(ofRound: $0) }.filter { $0.at < seconds }
    }
}

/// Something that happens in a storm.
struct Event: Sendable, CustomStringConvertible {
    /// Its place in the plan, from 1, so that a storm can be repeated without some of them.
    let number: Int
    /// Seconds since the storm began.
    let at: Double
    let act: Act

    /// A side that has a relay.
    enum Side: String, Sendable {
        case provider, database
    }

    enum Act: Sendable {
        case submissions(count: Int)
        case killWorker(Int)
        case freezeWorkers([Int], seconds: Double)
        case killPostgres(downSeconds: Double)
        case stopPostgresAtOnce(downSeconds: Double)
        case freezePostgres(seconds: Double)
        case cutConnections(Side, withinBytes: Int)
        case refuseConnections(Side, seconds: Double)
        case weather(Side, RelayWeather, seconds: Double)
        case sandboxFaults([Fault: Double], seconds: Double)
        case holdCreates(seconds: Double)
        case studio(wallet: String, credits: Int)
        case insufficientCredits(SandboxSettings.InsufficientCredits)
        case budget(wallet: String, project: String, month: Int, day: Int?)
        case person(wallet: String, pick: Int, charged: Int?)
        case revise(wallet: String, pick: Int, credits: Int)
        case jumpClock(turningPoint: Int, secondsBefore: Double)
    }

    var description: String {
        "\(number)\t\(String(format: "%.2f", at)) s\t\(act)"
    }
}

extension Event.Act {
    /// The wallet that it concerns, or all; nil where it is no fault.
    var subject: String? {
        switch self {
        case .submissions: nil
        case .studio(let wallet, _), .budget(let wallet, _, _, _), .person(let wallet, _, _), .revise(let wallet, _, _):
            wallet
        default: Tally.everybody
        }
    }
}

extension Event.Act: CustomStringConvertible {
    var description: String {
        switch self {
        case .submissions(let count): "\(count) callers at once"
        case .killWorker(let worker): "kill -9 of worker \(worker)"
        case .freezeWorkers(let workers, let seconds):
            "workers \(workers.map(String.init).joined(separator: ", ")) stand still for \(seconds.short) s"
        case .killPostgres(let seconds): "kill -9 of PostgreSQL, back after \(seconds.short) s"
        case .stopPostgresAtOnce(let seconds): "immediate stop of PostgreSQL, back after \(seconds.short) s"
        case .freezePostgres(let seconds): "PostgreSQL stands still for \(seconds.short) s"
        case .cutConnections(let side, let bytes): "all connections to the \(side) are cut within \(bytes) bytes"
        case .refuseConnections(let side, let seconds): "the \(side) refuses connections for \(seconds.short) s"
        case .weather(let side, let weather, let seconds):
            "on the way to the \(side), \(weather), for \(seconds.short) s"
        case .sandboxFaults(let shares, let seconds):
            "the provider answers with "
                + shares.sorted { $0.key.rawValue < $1.key.rawValue }.map { "\($0.key.rawValue) \($0.value.short)" }
                .joined(separator: ", ") + " for \(seconds.short) s"
        case .holdCreates(let seconds): "answers to create requests are held back for \(seconds.short) s"
        case .studio(let wallet, let credits):
            "Studio \(credits < 0 ? "tops up" : "spends") \(abs(credits)) of \(wallet)"
        case .insufficientCredits(let way): "a short wallet shows as \(way.rawValue) from now on"
        case .budget(let wallet, let project, let month, let day):
            "\(project) of \(wallet) may use \(month) a month\(day.map { ", \($0) a day" } ?? "")"
        case .person(let wallet, let pick, let charged):
            "a person ends the unknown task \(pick) of \(wallet): \(charged.map { "\($0) charged" } ?? "released")"
        case .revise(let wallet, let pick, let credits):
            "the provider changes what its failed task \(pick) of \(wallet) costs to \(credits)"
        case .jumpClock(let point, let seconds):
            "the clock is set to \(seconds.short) s before \(TurningPoint.all[point].moment.ISO8601Format()), when "
                + TurningPoint.all[point].what
        }
    }
}

extension Double {
    /// With two digits after the point.
    var short: String { String(format: "%.2f", self) }
}
