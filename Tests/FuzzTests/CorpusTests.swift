import Foundation
import Testing

/// A file of the corpus, or an input that once was a finding.
struct CorpusInput: Sendable {
    let name: String
    let bytes: [UInt8]

    /// All of them; scripts/fuzz begins with the same files.
    static let all: [CorpusInput] = {
        let folder = URL(filePath: #filePath).deletingLastPathComponent()
        return ["Corpus", "Regressions"].flatMap { kind -> [CorpusInput] in
            let root = folder.appending(path: kind)
            let names = (FileManager.default.enumerator(atPath: root.path)?.allObjects as? [String] ?? []).sorted()
            return names.compactMap { name in
                var isFolder: ObjCBool = false
                let file = root.appending(path: name)
                guard FileManager.default.fileExists(atPath: file.path, isDirectory: &isFolder), !isFolder.boolValue,
                    let data = try? Data(contentsOf: file)
                else { return nil }
                return CorpusInput(name: "\(kind)/\(name)", bytes: Array(data))
            }
        }
    }()
}

@Suite struct `Bytes from outside` {
    @Test func `have inputs for every decoder, small enough for a repository`() {
        for decoder in Decoder.all {
            let own = CorpusInput.all.filter { $0.name.hasPrefix("Corpus/\(decoder.name)/") }
            #expect(own.count >= 3, "\(decoder.name)")
            #expect(own.allSatisfy { $0.bytes.count <= decoder.maximumBytes }, "\(decoder.name)")
        }
        #expect(CorpusInput.all.reduce(0) { $0 + $1.bytes.count } < 64 * 1024)
    }

    @Test(arguments: Decoder.all.map(\.name)) func `of the corpus hold for each decoder`(_ name: String) throws {
        let decoder = try #require(Decoder.all.first { $0.name == name })
        for input in CorpusInput.all {
            #expect(throws: Never.self, "\(input.name)") { try decoder.check(input.bytes) }
        }
    }

    @Test(arguments: Decoder.all.map(\.name), [1, UInt64.random(in: .min ... .max)])
    func `hold for each decoder when they are cut, joined and changed`(_ name: String, seed: UInt64) throws {
        let decoder = try #require(Decoder.all.first { $0.name == name })
        var random = SeededGenerator(state: seed)
        let own = CorpusInput.all.filter { $0.name.contains("/\(decoder.name)/") }.map(\.bytes)
        for _ in 0..<200 {
            let input = random.changed(own)
            #expect(throws: Never.self, "seed \(seed), bytes \(input)") { try decoder.check(input) }
        }
    }
}

extension SeededGenerator {
    /// An input of some with a few changes.
    fileprivate mutating func changed(_ inputs: [[UInt8]]) -> [UInt8] {
        var bytes = pick(inputs)
        for _ in 0..<Int.random(in: 1...4, using: &self) {
            let place = Int.random(in: 0...bytes.count, using: &self)
            switch Int.random(in: 0..<6, using: &self) {
            case 0: bytes.insert(UInt8.random(in: 0...255, using: &self), at: place)
            case 1: if place < bytes.count { bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &self) }
            case 2: bytes.removeSubrange(place..<min(bytes.count, place + Int.random(in: 1...8, using: &self)))
            case 3: bytes.insert(contentsOf: pick(inputs).suffix(Int.random(in: 1...40, using: &self)), at: place)
            case 4: bytes = Array(bytes.prefix(place))
            default: if place < bytes.count { bytes[place] = pick([0, 1, 9, 10, 13, 34, 47, 59, 64, 92, 127, 255]) }
            }
        }
        return Array(bytes.prefix(4096))
    }
}
