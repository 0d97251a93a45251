import Foundation

@testable import RivyaClient

extension Decoder {
    /// Everything that reads an answer of the provider. A byte of 1 stands for the API key, which no answer may carry on.
    static let answer = Decoder(name: "answer", maximumBytes: 2048) { bytes in
        for (key, other) in [(plainKey, longKey), (longKey, plainKey)] {
            let body = bytes.flatMap { $0 == 1 ? Array(key.secret.utf8) : [$0] }
            let reader = AnswerReader(redaction: Redaction(key: key))
            try holdAnswer(Answer(status: 500, retryAfter: nil, body: body), reader, key.secret)
            let clean = Redaction(key: key).clean(String(decoding: body, as: UTF8.self))
            if !body.isEmpty { try holdSentence(clean, atMost: 500, without: key.secret, "rvya_sk_") }
            try holdNoPart(of: key.secret, in: clean, from: bytes)
        }
    }

    private static let plainKey = key("rvya_sk_0123456789abcdefghijklmnopqrstuvwxyz")
    private static let longKey = key(String(repeating: "Zq7~", count: 128))

    private static func key(_ text: String) -> APIKey {
        guard let key = try? APIKey(text) else { preconditionFailure("this is a key") }
        return key
    }

    /// Of a key that stands whole in the text, no long part may be left.
    private static func holdNoPart(of key: String, in text: String, from bytes: [UInt8]) throws {
        let part = Array(key.utf8.prefix(24))
        guard bytes.contains(1), bytes.firstRange(of: part) == nil else { return }
        try hold(Array(text.utf8).firstRange(of: part) == nil, "a part of the key is left")
    }

    private static func holdAnswer(_ answer: Answer, _ reader: AnswerReader, _ key: String) throws {
        let bounds: ClosedRange<Int64> = 0...1_000_000_000_000_000
        func read<Value>(_ act: () throws(AnswerProblem) -> Value) throws -> Value? {
            do { return try act() } catch {
                try holdSentence(error.message, without: key)
                return nil
            }
        }
        if let credits = try read({ () throws(AnswerProblem) in try reader.credits(answer) }) {
            try hold(bounds.contains(credits), "credits are \(credits)")
        }
        if let task = try read({ () throws(AnswerProblem) in try reader.generation(answer) }) {
            try holdGeneration(task, key)
            let again = try read { () throws(AnswerProblem) in try reader.generation(answer) }
            try hold(again == task, "the same answer reads differently")
        }
        if let file = try read({ () throws(AnswerProblem) in try reader.uploadedFile(answer) }) {
            let reference = MediaReference(url: file.url, durationToken: file.durationToken)
            try hold((try? reference.validate(at: 0)) != nil, "an upload's answer cannot be sent")
        }
        if let (models, unreadable) = try read({ () throws(AnswerProblem) in try reader.models(answer) }) {
            try hold(unreadable >= 0, "models are missing")
            for model in models {
                let words = [model.id, model.displayName ?? "", model.category ?? "", model.apiStatus ?? ""]
                for word in words { try hold(word.unicodeScalars.count <= 128, "a model's word is long") }
                try hold((model.baseCredits ?? 0) >= 0 && (model.maxPromptLength ?? 0) >= 0, "a number below zero")
            }
        }
        let refusal = reader.refusal(answer)
        try holdSentence("\(refusal)", without: key, "rvya_sk_")
        try hold((1...128).contains(refusal.code.unicodeScalars.count), "a code of \(refusal.code.count)")
        try hold(refusal.message.unicodeScalars.count <= 500, "a long message")
    }

    private static func holdGeneration(_ task: Generation, _ key: String) throws {
        let bounds: ClosedRange<Int64> = 0...1_000_000_000_000_000
        try hold((1...512).contains(task.id.utf8.count) && ![".", ".."].contains(task.id), "an id nobody can ask for")
        for credits in [task.reservedCredits, task.finalCredits] {
            try hold(credits.map(bounds.contains) ?? true, "credits out of bounds")
        }
        try hold(task.resultURLs.count <= 100, "too many results")
        for url in task.resultURLs {
            try hold(url.utf8.count <= 4096 && !url.utf8.contains(0), "a result nobody can keep")
        }
        try holdSentence(task.status.rawValue + " ", atMost: 129, without: key)
        try holdSentence((task.model ?? "") + " ", atMost: 129, without: key)
        guard let error = task.error else { return }
        try holdSentence(error.code.rawValue, atMost: 128, without: key)
        try holdSentence(error.message + " ", atMost: 501, without: key)
    }
}
