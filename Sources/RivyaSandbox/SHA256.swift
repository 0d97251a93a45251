import Crypto

extension SHA256 {
    /// The digest of a request body in lower-case hexadecimal, so that two books can be compared request by request.
    static func hexadecimal(of bytes: some Collection<UInt8>) -> String {
        hash(data: Array(bytes)).map { byte in (byte < 16 ? "0" : "") + String(byte, radix: 16) }.joined()
    }
}
