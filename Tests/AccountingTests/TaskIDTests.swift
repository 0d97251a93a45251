import Accounting
import Foundation
import Testing

@Suite struct `A task id` {
    private let now = Date(timeIntervalSince1970: 1_778_580_000.123)

    @Test func `is a UUID of version 7`() {
        let bytes = TaskID.make(at: now).uuid.uuid
        #expect(bytes.6 >> 4 == 7)
        #expect(bytes.8 >> 6 == 0b10)
    }

    @Test func `begins with the milliseconds of its time`() {
        let bytes = TaskID.make(at: now).uuid.uuid
        let milliseconds = [bytes.0, bytes.1, bytes.2, bytes.3, bytes.4, bytes.5].reduce(UInt64(0)) {
            $0 << 8 | UInt64($1)
        }
        #expect(milliseconds == 1_778_580_000_123)
    }

    @Test func `sorts by the time at which it was made`() {
        let ids = (0..<50).map { TaskID.make(at: now.addingTimeInterval(Double($0) / 500)).description }
        #expect(ids.shuffled().sorted() == ids)
    }

    @Test func `sorts by its time within a millisecond as well`() {
        let ids = (0..<50).map { TaskID.make(at: now.addingTimeInterval(Double($0) / 100_000)).description }
        #expect(ids.shuffled().sorted() == ids)
    }

    @Test func `is never made twice`() {
        #expect(Set((0..<10_000).map { _ in TaskID.make(at: now) }).count == 10_000)
    }

    @Test func `is made even before 1970`() {
        #expect(TaskID.make(at: .distantPast).description.hasPrefix("00000000-0000-7"))
    }

    @Test func `is read in either case and printed in lower case`() throws {
        let text = "0197a3f4-8c21-7e55-9b1d-5f2c9a7d3e10"
        #expect(try #require(TaskID(text.uppercased())).description == text)
        #expect(TaskID("0197a3f4") == nil)
    }
}
