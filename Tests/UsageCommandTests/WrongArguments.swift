/// Arguments that are wrong in one place: a value that an option, an argument or a variable does not take.
struct WrongArguments: Sendable {
    let arguments: [String]
    var environment: [String: String] = [:]

    /// What an option takes, so that something else can be made.
    private enum Kind {
        case wholeNumber(ClosedRange<Int64>)
        case number(ClosedRange<Double>)
        case slug, month, moment, task, condition, parameter, person, reason, fault, variable, zone
        case choice([String])
    }

    private static let credits: ClosedRange<Int64> = 0...1_000_000_000_000_000
    private static let task = "019a8f3e-5a00-7c3d-9b1e-2f6a7d8c9b0a"
    private static let submit = ["submit", "--project", "films", "--prompt", "x"]
    private static let resolve = ["task", "resolve", task, "--reason", "seen", "--by", "ann"]

    /// Every option and argument that takes a value, behind arguments that are right.
    private static let places: [(before: [String], option: String?, kind: Kind)] = [
        (["submit", "--prompt", "x"], "--project", .slug), (submit, "--wallet", .slug),
        (submit, "--format", .choice(["table", "json"])), (submit, "--cfg-scale", .number(0...1)),
        (submit, "--duration", .choice(["5", "10"])), (submit, "--aspect-ratio", .choice(["16:9", "9:16", "1:1"])),
        (submit, "--param", .parameter),
        (["tasks"], "--limit", .wholeNumber(1...10_000)), (["tasks"], "--before", .task),
        (["tasks"], "--project", .slug), (["tasks", "--format", "csv"], "--month", .month),
        (["tasks"], "--format", .choice(["table", "json", "csv"])),
        (["tasks"], "--state", .choice(["queued", "failed"])), (["task"], nil, .task), (["task", "show"], nil, .task),
        (["task", "resolve", "--released", "--reason", "seen", "--by", "ann"], nil, .task),
        (resolve, "--charged", .wholeNumber(1...1_000_000_000_000_000)),
        (["task", "resolve", task, "--released", "--by", "ann"], "--reason", .reason),
        (["task", "resolve", task, "--released", "--reason", "seen"], "--by", .person),
        (["report"], "--month", .month), (["report"], "--by", .choice(["project", "model", "day"])),
        (["report"], "--format", .choice(["table", "csv", "json"])), (["report"], "--project", .slug),
        (["report"], "--wallet", .slug),
        (["project", "create", "--month", "1"], nil, .slug),
        (["project", "create", "more"], "--month", .wholeNumber(credits)),
        (["budget", "set", "films"], "--month", .wholeNumber(credits)),
        (["budget", "set", "films"], "--day", .wholeNumber(credits)),
        (["budget", "set", "films"], "--total", .wholeNumber(credits)),
        (["budget", "set", "--day", "1"], nil, .slug), (["budget", "show"], nil, .slug),
        (["price", "set", "m"], "--credits", .wholeNumber(1...1_000_000_000)),
        (["price", "set", "m", "--credits", "1"], "--when", .condition),
        (["price", "set", "m", "--credits", "1"], "--from", .moment),
        (["wallet", "--by", "ann"], "--set", .wholeNumber(credits)), (["wallet", "--set", "5"], "--by", .person),
        (["wallet"], "--wallet", .slug), (["wallet", "create", "--key-variable", "KEY"], nil, .slug),
        (["wallet", "create", "eu"], "--key-variable", .variable),
        (["wallet", "create", "eu", "--key-variable", "KEY"], "--time-zone", .zone),
        (["worker"], "--concurrency", .wholeNumber(1...1024)), (["worker"], "--lease", .number(0.05...86_400)),
        (["worker"], "--poll-interval", .number(0.05...86_400)),
        (["worker"], "--request-timeout", .number(0.05...86_400)),
        (["worker"], "--reading-interval", .number(0.05...86_400)),
        (["sandbox"], "--port", .wholeNumber(0...65_535)),
        (["sandbox"], "--credits", .wholeNumber(0...1_000_000_000_000)),
        (["sandbox"], "--seconds", .number(0...86_400)), (["sandbox"], "--failures", .number(0...1)),
        (["sandbox"], "--rate-limit", .wholeNumber(1...1_000_000)), (["sandbox"], "--fault", .fault),
    ]

    /// How many places there are.
    static var count: Int { places.count }

    /// Something wrong at one of the places.
    static func make(_ number: Int, using random: inout some RandomNumberGenerator) -> WrongArguments {
        let place = places[number % places.count]
        let value = wrong(place.kind).randomElement(using: &random) ?? ""
        // Behind an equals sign, or a value that begins with a dash would be an option.
        return WrongArguments(
            arguments: place.before + (place.option.map { ["\($0)=\(value)"] } ?? ["--", value]))
    }

    private static let nothing = ["", " ", "\n", "\u{1B}[2J", "rvya_sk_secret", "ann:secret@host", "🦊", "a\nb"]
    private static let long = String(repeating: "x", count: 5000)

    private static func wrong(_ kind: Kind) -> [String] {
        switch kind {
        case .wholeNumber(let bounds):
            nothing + [
                "\(bounds.lowerBound - 1)", "\(bounds.upperBound + 1)", "9223372036854775807", "9223372036854775808",
                "-9223372036854775809", "1.5", "1e3", "0x10", "１２", "1,000", " 5", String(repeating: "9", count: 400),
            ]
        case .number(let bounds):
            nothing + [
                "\(bounds.lowerBound - 1)", "\(bounds.upperBound + 1)", "nan", "inf", "-inf", "1e999", "0,5", long,
            ]
        case .slug: nothing + ["Films", "-films", "_films", "film team", "films\u{301}", "../films", long]
        case .month:
            nothing + ["2026", "2026-13", "2026-00", "1999-12", "9999-01", "2026-5", "２０２６-05", "2026-05-01", long]
        case .moment: nothing + ["2026", "2026-13-01T00:00:00Z", "1999-12-31T23:59:59Z", "99999-01-01T00:00:00Z", long]
        case .task: nothing + ["42", "019a8f3e-5a00-7c3d-9b1e-2f6a7d8c9b0", "019a8f3e5a007c3d9b1e2f6a7d8c9b0a", long]
        case .condition: nothing + ["duration", "=10", "duration=", "duration=\(long)"]
        case .parameter:
            nothing + ["=5", ":=5", "fps:=fast", "fps=60", "cfg_scale:=2", "duration:=5", "duration=7", long]
        case .person: ["", " ", "\n", "a\nb", "\u{1B}[2Jann", "ann\u{2028}", String(repeating: "x", count: 201)]
        case .reason: ["", " ", "\n", "a\nb", "\u{1B}[2J", String(repeating: "x", count: 1001)]
        case .fault: nothing + ["cut", "cut=2", "cut=-0.1", "cut=nan", "cut=0.1=0.2", "hurricane=0.1", long]
        case .variable: nothing + ["key", "1KEY", "KEY-1", "rvya_sk_secret", String(repeating: "K", count: 129)]
        case .zone: nothing + ["Berlin", "Europe/Nowhere", String(repeating: "x", count: 65)]
        case .choice(let options): nothing + ["none", "\(options[0])s", options[0].uppercased() + "X", long]
        }
    }
}

extension WrongArguments: CustomStringConvertible {
    var description: String { "\(arguments)" }
}
