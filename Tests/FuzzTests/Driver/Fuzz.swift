import Foundation

/// libFuzzer's own entry, which reads its options from the arguments and calls the body with each input.
@_silgen_name("LLVMFuzzerRunDriver")
private func runFuzzer(
    _ count: UnsafeMutablePointer<Int32>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
    _ body: @convention(c) (UnsafePointer<UInt8>?, Int) -> Int32
) -> Int32

/// What libFuzzer calls with each input; its library looks for it by this name.
@_cdecl("LLVMFuzzerTestOneInput")
func testOneInput(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    do {
        try Fuzz.decoder.check(Array(UnsafeBufferPointer(start: bytes, count: count)))
    } catch {
        // libFuzzer keeps the input of a crash.
        fatalError("FINDING in \(Fuzz.decoder.name): \(error)")
    }
    return 0
}

/// `fuzz DECODER [libFuzzer's options] [folders]`: runs one decoder under libFuzzer; without arguments, names all.
@main struct Fuzz {
    /// Set once, before the first input: libFuzzer's callback has no room for a context.
    nonisolated(unsafe) fileprivate static var decoder = Decoder.all[0]

    static func main() {
        guard CommandLine.arguments.count > 1 else {
            print(Decoder.all.map(\.name).joined(separator: "\n"))
            return
        }
        let name = CommandLine.arguments[1]
        guard let chosen = Decoder.all.first(where: { $0.name == name }) else {
            FileHandle.standardError.write(Data("fuzz: there is no decoder '\(name)'\n".utf8))
            exit(64)
        }
        decoder = chosen
        let words = [CommandLine.arguments[0], "-max_len=\(chosen.maximumBytes)"] + CommandLine.arguments.dropFirst(2)
        var pointers = words.map { strdup($0) } + [nil]
        var count = Int32(words.count)
        let status = pointers.withUnsafeMutableBufferPointer { buffer in
            guard var arguments = buffer.baseAddress else { return Int32(1) }
            return runFuzzer(&count, &arguments, testOneInput)
        }
        exit(status)
    }
}
