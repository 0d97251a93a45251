import Testing

@testable import RivyaClient

private func kling(
    _ prompt: String? = "a fox", _ parameters: [String: ParameterValue] = [:], references: Int = 0
) -> GenerationRequest {
    GenerationRequest(
        model: "kling-v2-5-turbo-pro", prompt: prompt, parameters: parameters,
        references: (0..<references).map { MediaReference(url: "https://files.rivya.ai/\($0)", mimeType: "image/png") })
}

@Suite struct `The contract of kling-v2-5-turbo-pro` {
    @Test(arguments: [1, 2, 2499, 2500])
    func `takes a prompt of 1 to 2500 units`(length: Int) throws {
        try kling(String(repeating: "x", count: length)).validate()
    }

    @Test func `says how long a prompt is that is too long`() {
        let violation = #expect(throws: ContractViolation.self) {
            try kling(String(repeating: "x", count: 2501)).validate()
        }
        #expect(
            violation?.description
                == "prompt has 2501 characters (UTF-16 units); kling-v2-5-turbo-pro takes 1 to 2500.")
    }

    @Test func `counts UTF-16 units, not what the eye sees`() throws {
        try kling(String(repeating: "🦊", count: 1250)).validate()
        #expect(throws: ContractViolation.self) { try kling(String(repeating: "🦊", count: 1251)).validate() }
        #expect(throws: ContractViolation.self) {
            try kling(String(repeating: "👨‍👩‍👧‍👦", count: 228)).validate()
        }
    }

    @Test(arguments: [nil, ""])
    func `needs a prompt`(prompt: String?) {
        let violation = #expect(throws: ContractViolation.self) { try kling(prompt).validate() }
        #expect(violation?.field == "prompt")
    }

    @Test(
        arguments: [
            ["duration": "5"], ["duration": "10"], ["aspect_ratio": "16:9"], ["aspect_ratio": "9:16"],
            ["aspect_ratio": "1:1"], ["cfg_scale": 0], ["cfg_scale": 1], ["cfg_scale": 0.5], ["negative_prompt": ""],
            ["negative_prompt": "blur", "cfg_scale": 0.7, "duration": "10", "aspect_ratio": "1:1"],
        ] as [[String: ParameterValue]])
    func `takes every documented option and both ends of each range`(parameters: [String: ParameterValue]) throws {
        try kling("a fox", parameters).validate()
    }

    @Test(
        arguments: [
            ["duration": "7"], ["duration": 5], ["duration": true], ["duration": ""], ["aspect_ratio": "4:3"],
            ["aspect_ratio": "16:9 "], ["cfg_scale": 1.0000001], ["cfg_scale": -0.0000001], ["cfg_scale": "0.5"],
            ["cfg_scale": .number(.nan)], ["cfg_scale": .number(.infinity)], ["negative_prompt": 1],
            ["negative_prompt": false], ["Duration": "5"], ["sound": "true"], ["referenceMediaItems": "x"],
        ] as [[String: ParameterValue]])
    func `refuses everything beside them and names it`(parameters: [String: ParameterValue]) {
        let violation = #expect(throws: ContractViolation.self) { try kling("a fox", parameters).validate() }
        #expect(violation?.field == parameters.keys.first)
        #expect((violation?.value.count ?? 99) <= 40)
    }

    @Test func `says which options and parameters there are`() {
        let option = #expect(throws: ContractViolation.self) { try kling("a fox", ["duration": "7"]).validate() }
        #expect(option?.description == #"duration is "7"; kling-v2-5-turbo-pro takes "5" or "10", as text."#)
        let range = #expect(throws: ContractViolation.self) { try kling("a fox", ["cfg_scale": 1.5]).validate() }
        #expect(range?.description == "cfg_scale is the number 1.5; kling-v2-5-turbo-pro takes a number from 0 to 1.")
        let unknown = #expect(throws: ContractViolation.self) { try kling("a fox", ["sound": "true"]).validate() }
        #expect(unknown?.rule == "it takes aspect_ratio, cfg_scale, duration and negative_prompt")
    }

    @Test func `takes two images, in their order`() throws {
        let request = kling(references: 2)
        try request.validate()
        let text = String(decoding: request.encoded(), as: UTF8.self)
        let (first, second) = (try #require(text.firstRange(of: "ai/0")), try #require(text.firstRange(of: "ai/1")))
        #expect(first.lowerBound < second.lowerBound)
        #expect(throws: ContractViolation.self) { try kling(references: 3).validate() }
    }

    @Test(arguments: [
        MediaReference(url: ""), MediaReference(url: "file:///etc/passwd"),
        MediaReference(url: "https://x/1", kind: "video"), MediaReference(url: "https://x/1", kind: ""),
        MediaReference(url: "https://x/1", mimeType: "image/gif"),
    ])
    func `refuses other references`(reference: MediaReference) {
        var request = kling()
        request.references = [reference]
        #expect(throws: ContractViolation.self) { try request.validate() }
    }

    @Test func `shortens long values to 40 characters`() {
        let violation = #expect(throws: ContractViolation.self) {
            try kling("a fox", ["duration": .string(String(repeating: "7", count: 100_000))]).validate()
        }
        #expect(violation?.value.count == 40)
    }
}

@Suite struct `A model's contract` {
    @Test(arguments: ModelContract.documented)
    func `holds at both ends of every rule`(contract: ModelContract) throws {
        if let limit = contract.maximumPromptLength {
            try GenerationRequest(model: contract.model, prompt: String(repeating: "x", count: limit)).validate()
            #expect(throws: ContractViolation.self) {
                try GenerationRequest(model: contract.model, prompt: String(repeating: "x", count: limit + 1))
                    .validate()
            }
        }
        for (name, rule) in contract.parameters {
            let (good, bad): ([ParameterValue], [ParameterValue])
            switch rule {
            case .option(let options): (good, bad) = (options.map { .string($0) }, [.string("no"), .number(-7)])
            case .text: (good, bad) = ([.string("")], [.number(1), .bool(true)])
            case .number(let bounds):
                (good, bad) = (
                    [.number(bounds.lowerBound), .number(bounds.upperBound)],
                    [.number(bounds.lowerBound.nextDown), .number(bounds.upperBound.nextUp), .string("0")]
                )
            case .wholeNumber(let bounds):
                (good, bad) = (
                    [.number(Double(bounds.lowerBound)), .number(Double(bounds.upperBound))],
                    [
                        .number(Double(bounds.lowerBound - 1)), .number(Double(bounds.upperBound + 1)),
                        .number(Double(bounds.lowerBound) + 0.5),
                    ]
                )
            }
            for value in good {
                try GenerationRequest(model: contract.model, prompt: "x", parameters: [name: value]).validate()
            }
            for value in bad {
                #expect(throws: ContractViolation.self, "\(contract.model) \(name) \(value)") {
                    try GenerationRequest(model: contract.model, prompt: "x", parameters: [name: value]).validate()
                }
            }
        }
        let files = (0...contract.references.maximumCount).map { MediaReference(url: "https://x/\($0)") }
        try GenerationRequest(model: contract.model, prompt: "x", references: files.dropLast()).validate()
        #expect(throws: ContractViolation.self) {
            try GenerationRequest(model: contract.model, prompt: "x", references: files).validate()
        }
    }

    @Test func `is not made up for models that are not documented in full`() {
        for model in ["seedance-2", "seedance-2-fast", "happyhorse-1-0", "elevenlabs-turbo-2-5", "new-model", ""] {
            #expect(ModelContract.of(model) == nil)
        }
    }

    @Test func `is not needed for other models, which need only a prompt`() throws {
        try GenerationRequest(model: "new-model", prompt: "x", parameters: ["any": 1, "flag": true]).validate()
        for request in [
            GenerationRequest(model: "new-model"), GenerationRequest(model: "new-model", prompt: ""),
            GenerationRequest(model: "", prompt: "x"), GenerationRequest(model: "a\nb", prompt: "x"),
            GenerationRequest(model: "new-model", prompt: "x", parameters: ["n": .number(.nan)]),
            GenerationRequest(model: "new-model", prompt: "x", parameters: ["n": .number(0x1p53 + 2)]),
            GenerationRequest(model: "new-model", prompt: "x", clientRequestID: ""),
            GenerationRequest(model: "new-model", prompt: "x", clientRequestID: String(repeating: "x", count: 129)),
            GenerationRequest(model: "new-model", prompt: String(repeating: "x", count: 1_048_577)),
        ] {
            #expect(throws: ContractViolation.self) { try request.validate() }
        }
    }
}
