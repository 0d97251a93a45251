import Crypto

/// An entry's number with its hash, noted down when they were known to be right.
public struct ChainAnchor: Equatable, Sendable, CustomStringConvertible {
    /// The entry's number; 0 stands for the beginning.
    public let entryNumber: Int64
    /// Its hash, 64 lower-case digits in hexadecimal.
    public let hash: String

    /// An anchor of known parts.
    init(entryNumber: Int64, hash: String) {
        self.entryNumber = entryNumber
        self.hash = hash
    }

    /// Reads `1234:ab12…`; nil if it is anything else.
    public init?(_ text: String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, let number = Int64(parts[0]), number >= 0, parts[1].utf8.count == 64,
            parts[1].utf8.allSatisfy({ (48...57).contains($0) || (97...102).contains($0) })
        else { return nil }
        self.init(entryNumber: number, hash: String(parts[1]))
    }

    /// The anchor as it is read.
    public var description: String { "\(entryNumber):\(hash)" }
}

/// The re-computation of a wallet's hash chain from an export, line by line, without any database.
///
/// Each line is held against the hash that stands before it in the file, so that one changed row gives one finding.
public struct EntryChain: Sendable {
    /// The longest line that is read, in bytes; the longest that an entry can have is far below.
    public static let maximumLineBytes = 4 * 1024 * 1024

    /// What was found; empty if the chain is right.
    public private(set) var differences: [Difference] = []
    /// The wallet's name, from the file's first line.
    public private(set) var wallet = ""
    /// The number of the last entry that was read.
    public private(set) var entries: Int64 = 0
    private let anchor: ChainAnchor?
    private var previous = [UInt8](repeating: 0, count: 32)
    private var walletID: Int64?
    private var announced: ChainAnchor?
    private var meetsAnchor = false
    private var lineNumber = 0

    /// Begins a chain.
    ///
    /// - Parameter anchor: A head that was noted down earlier; a chain that was rewritten from some entry on does not
    ///   have it any more.
    public init(anchor: ChainAnchor? = nil) {
        self.anchor = anchor
        meetsAnchor = anchor.map { $0.entryNumber == 0 } ?? true
    }

    /// The head of what was read.
    public var head: ChainHead { ChainHead(wallet: wallet, entries: entries, hash: hexadecimal(previous)) }

    /// Takes the next line of the file, without its end.
    public mutating func read(_ line: some Collection<UInt8>) {
        lineNumber += 1
        if lineNumber == 1 { return readHeader(line) }
        guard line.count > 65, let found = ExportedEntry(line) else { return readDamaged(line) }
        let number = entries + 1
        if found.entryNumber != number {
            add(found.subject, "entry \(found.entryNumber)", "entry \(number): one was taken out, put in or moved")
        }
        if let walletID, walletID != found.walletID {
            add(found.subject, "wallet \(found.walletID)", "wallet \(walletID)")
        }
        walletID = walletID ?? found.walletID
        var hash = SHA256()
        hash.update(data: previous)
        hash.update(data: found.line)
        let expected = Array(hash.finalize())
        if found.hash != expected {
            add(
                found.subject, found.hash.isEmpty ? "no hash" : "hash \(hexadecimal(found.hash))",
                "hash \(hexadecimal(expected)), from the entry before and this one as they stand")
        }
        // What follows is held against what stands here, so that one finding does not become many.
        advance(to: found.entryNumber, found.hash.isEmpty ? expected : found.hash)
    }

    /// Ends the chain: is all there, and is what was noted down still in it?
    public mutating func finish() {
        if lineNumber == 0 { add("file", "nothing", "a first line that begins with # usage entries") }
        if let announced, announced != head.anchor {
            add("end", "head \(head.anchor)", "head \(announced), as the first line says")
        }
        if let anchor, !meetsAnchor {
            let found = entries < anchor.entryNumber ? "only \(entries) entries" : "another hash at this entry"
            add("entry \(anchor.entryNumber)", found, "hash \(anchor.hash), as it was noted down")
        }
    }

    private mutating func readHeader(_ line: some Collection<UInt8>) {
        let words = String(decoding: line.prefix(1024), as: UTF8.self).split(separator: " ")
        func value(_ name: String) -> String? {
            words.first { $0.hasPrefix(name + "=") }.map { String($0.dropFirst(name.count + 1)) }
        }
        guard words.prefix(4).elementsEqual(["#", "usage", "entries", "1"]), let wallet = value("wallet"),
            let count = value("entries"), let hash = value("head"), let head = ChainAnchor("\(count):\(hash)")
        else {
            return add("first line", "something else", "# usage entries 1 wallet=… entries=… head=…")
        }
        self.wallet = wallet
        announced = head
    }

    private mutating func readDamaged(_ line: some Collection<UInt8>) {
        let text = String(decoding: line.prefix(200), as: UTF8.self)
        add(
            "entry \(entries + 1)", line.count == 65 ? "a hash without its entry" : "a line that is no entry: \(text)",
            "an entry: this one was taken out, or is damaged")
        let hash = Array(text.utf8.prefix(64)).fromHexadecimal
        advance(to: entries + 1, hash ?? previous)
    }

    private mutating func advance(to number: Int64, _ hash: [UInt8]) {
        entries = number
        previous = hash
        if let anchor, anchor.entryNumber == entries { meetsAnchor = anchor.hash == hexadecimal(previous) }
    }

    private mutating func add(_ subject: String, _ found: String, _ expected: String) {
        guard differences.count < 1000 else { return }
        differences.append(
            Difference(rule: "entry_hash", wallet: wallet, subject: subject, found: found, expected: expected))
    }
}

/// An entry as it stands in an export.
private struct ExportedEntry {
    /// Empty where the entry has none.
    let hash: [UInt8]
    let line: [UInt8]
    let kind: String
    let walletID: Int64
    let entryNumber: Int64

    /// Reads the hash and how the line begins: `["reservation", 1, 22, …`.
    init?(_ text: some Collection<UInt8>) {
        let bytes = Array(text)
        guard bytes[64] == UInt8(ascii: " ") else { return nil }
        let digits = Array(bytes[0..<64])
        if digits.allSatisfy({ $0 == UInt8(ascii: "-") }) {
            hash = []
        } else {
            guard let hash = digits.fromHexadecimal else { return nil }
            self.hash = hash
        }
        line = Array(bytes[65...])
        let parts = line.prefix(128).split(separator: UInt8(ascii: ","), maxSplits: 3, omittingEmptySubsequences: false)
        guard parts.count == 4, parts[0].starts(with: "[\"".utf8), parts[0].last == UInt8(ascii: "\""),
            let walletID = Int64(String(decoding: parts[1].dropFirst(), as: UTF8.self)),
            let entryNumber = Int64(String(decoding: parts[2].dropFirst(), as: UTF8.self)),
            (1..<Int64.max).contains(entryNumber)
        else { return nil }
        kind = String(decoding: parts[0].dropFirst(2).dropLast(), as: UTF8.self)
        self.walletID = walletID
        self.entryNumber = entryNumber
    }

    /// The row in words: which entry, and of which task where it has one.
    var subject: String {
        // The kinds that have a task have its id next.
        let next = line.prefix(256).split(separator: UInt8(ascii: ","), maxSplits: 4)[3].dropFirst()
        guard next.count == 38, next.first == UInt8(ascii: "\"") else { return "entry \(entryNumber), \(kind)" }
        return "entry \(entryNumber), \(kind) of task \(String(decoding: next.dropFirst().dropLast(), as: UTF8.self))"
    }
}

private func hexadecimal(_ bytes: [UInt8]) -> String {
    let digits = Array("0123456789abcdef".utf8)
    return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
}

extension [UInt8] {
    /// The bytes that lower-case digits in hexadecimal stand for.
    fileprivate var fromHexadecimal: [UInt8]? {
        guard count == 64 else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(32)
        for place in stride(from: 0, to: 64, by: 2) {
            guard let high = self[place].hexadecimalDigit, let low = self[place + 1].hexadecimalDigit else {
                return nil
            }
            bytes.append(high << 4 | low)
        }
        return bytes
    }
}

extension UInt8 {
    fileprivate var hexadecimalDigit: UInt8? {
        switch self {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): self - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): self - UInt8(ascii: "a") + 10
        default: nil
        }
    }
}
