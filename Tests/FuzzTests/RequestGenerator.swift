import RivyaClient

/// Requests that a model's contract admits, and the same with one rule broken.
struct RequestGenerator {
    /// A request that must be refused.
    struct Broken {
        let request: GenerationRequest
        /// The part of it that is wrong.
        let field: String
        /// Whether the provider sees it too, or only we do.
        let isSeenByProvider: Bool
    }

    var random: SeededGenerator
    /// The address that references have.
    var url = "https://files.example/1"

    mutating func admitted() -> GenerationRequest {
        let contract = random.pick(ModelContract.documented)
        let limit = contract.maximumPromptLength ?? 3000
        let length = random.pick([1, 2, 17, limit - 1, limit])
        let prompt = text(units: length)
        // White space alone is no prompt.
        let hasInk = prompt.contains { !$0.isWhitespace }
        var request = GenerationRequest(
            model: contract.model, prompt: hasInk ? prompt : String(repeating: "x", count: length))
        for (name, rule) in contract.parameters.sorted(by: { $0.key < $1.key }) where random.once(in: 2) {
            request.parameters[name] = value(rule)
        }
        let files = Int.random(in: 0...contract.references.maximumCount, using: &random)
        request.references = (0..<files).map { _ in
            MediaReference(
                url: url, name: random.once(in: 2) ? text(units: 12) : nil,
                mimeType: random.once(in: 2) ? random.pick(contract.references.contentTypes) : nil)
        }
        if random.once(in: 2) { request.clientRequestID = text(units: random.pick([1, 36, 127, 128])) }
        return request
    }

    /// A request with one rule of its contract broken.
    mutating func broken() -> Broken {
        while true {
            let request = admitted()
            guard let contract = ModelContract.of(request.model) else { continue }
            if let broken = random.once(in: 2) ? breakParameter(request, contract) : breakRest(request, contract) {
                return broken
            }
        }
    }

    private mutating func breakRest(_ request: GenerationRequest, _ contract: ModelContract) -> Broken? {
        var request = request
        switch Int.random(in: 0..<8, using: &random) {
        case 0:
            guard let limit = contract.maximumPromptLength else { return nil }
            request.prompt = text(units: limit + random.pick([1, 2, 500]))
            return Broken(request: request, field: "prompt", isSeenByProvider: true)
        case 1:
            request.prompt = random.pick([nil, "", " ", "\n\t", "\u{2003}\u{3000}"])
            return Broken(request: request, field: "prompt", isSeenByProvider: true)
        case 2:
            let name = random.pick(["fps", "Duration", "prompt", "duration ", "model", "", "ſound"])
            request.parameters[name] = .string("5")
            return Broken(request: request, field: name, isSeenByProvider: true)
        case 3:
            let count = contract.references.maximumCount + random.pick([1, 2, 20])
            request.references = (0..<count).map { _ in MediaReference(url: url) }
            return Broken(request: request, field: "references", isSeenByProvider: true)
        case 4:
            guard !request.references.isEmpty else { return nil }
            request.references[0].kind = random.pick(["audio", "", "Image", "picture"])
            return Broken(request: request, field: "references[0].kind", isSeenByProvider: true)
        case 5:
            guard !request.references.isEmpty else { return nil }
            request.references[0].url = random.pick(["", "ftp://x/1", "/etc/passwd", "https://" + text(units: 5000)])
            return Broken(request: request, field: "references[0].url", isSeenByProvider: false)
        case 6:
            request.clientRequestID = random.pick(["", text(units: 129), "a\u{0}b"])
            return Broken(request: request, field: "client_request_id", isSeenByProvider: false)
        default:
            request.prompt = "a\u{0}b"
            return Broken(request: request, field: "prompt", isSeenByProvider: false)
        }
    }

    private mutating func breakParameter(_ request: GenerationRequest, _ contract: ModelContract) -> Broken? {
        guard let name = contract.parameters.keys.sorted().randomElement(using: &random),
            let rule = contract.parameters[name]
        else { return nil }
        var request = request
        let wrong: [ParameterValue]
        switch rule {
        case .option(let options):
            let option = random.pick(options)
            // The Kelvin sign is a K to Swift's ==.
            let kelvin = option.replacing("K", with: "\u{212A}")
            wrong = [
                "", .string(option + " "), .string(option + "\u{200D}"), .number(5), .bool(true), .number(.nan),
                .string(kelvin.utf8.elementsEqual(option.utf8) ? "\(option)\(option)x" : kelvin),
                .string(text(units: 300) + "!"),
            ]
        case .text: wrong = [.number(1), .bool(false), .number(.infinity)]
        case .number(let bounds):
            wrong = [
                .number(bounds.lowerBound.nextDown), .number(bounds.upperBound.nextUp), .number(.nan),
                .number(.infinity), .number(-.infinity), .number(1e300), .string("0.5"), .bool(true),
            ]
        case .wholeNumber(let bounds):
            wrong = [
                .number(Double(bounds.lowerBound) - 1), .number(Double(bounds.upperBound) + 1),
                .number(Double(bounds.lowerBound) + 0.5), .number(.nan), .number(-.infinity), .number(1e18),
                .string("\(bounds.lowerBound)"), .bool(false),
            ]
        }
        request.parameters[name] = random.pick(wrong)
        return Broken(request: request, field: name, isSeenByProvider: true)
    }

    private mutating func value(_ rule: ModelContract.ParameterRule) -> ParameterValue {
        switch rule {
        case .option(let options): .string(random.pick(options))
        case .text: .string(text(units: random.pick([0, 1, 40])))
        case .number(let bounds):
            .number(
                random.pick([
                    bounds.lowerBound, bounds.upperBound, bounds.lowerBound.nextUp, bounds.upperBound.nextDown,
                    Double.random(in: bounds, using: &random), 0.1.clamped(to: bounds), 1e-7.clamped(to: bounds),
                ]))
        case .wholeNumber(let bounds):
            .number(
                Double(random.pick([bounds.lowerBound, bounds.upperBound, Int64.random(in: bounds, using: &random)])))
        }
    }

    /// A text of so many UTF-16 units, of every kind of character that writers, encoders and databases trip over.
    mutating func text(units: Int) -> String {
        let odd: [Unicode.Scalar] = [
            "\"", "\\", "/", "\n", "\t", "\u{1}", "\u{7F}", "\u{85}", "é", "\u{301}", "\u{200D}", "\u{2028}",
            "\u{202E}",
            "ß", "語", "🦊", "👩", "\u{1F3FD}", "\u{FEFF}", "\u{FFFD}", "\u{10FFFF}", "&", "<", "%", "\u{1B}",
        ]
        var text = String.UnicodeScalarView()
        var left = units
        while left > 0 {
            let scalar =
                random.once(in: 3) ? random.pick(odd) : Unicode.Scalar(UInt8.random(in: 0x21...0x7E, using: &random))
            let size = scalar.value > 0xFFFF ? 2 : 1
            guard size <= left else {
                text.append("x")
                left -= 1
                continue
            }
            text.append(scalar)
            left -= size
        }
        return String(text)
    }
}

extension Double {
    fileprivate func clamped(to bounds: ClosedRange<Double>) -> Double {
        min(max(self, bounds.lowerBound), bounds.upperBound)
    }
}
