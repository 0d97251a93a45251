import Accounting
import Foundation
import Testing

@Suite struct `An amount of credits` {
    @Test(arguments: [
        (0, "0"), (7, "7"), (999, "999"), (1_000, "1,000"), (12_600, "12,600"), (1_234_567, "1,234,567"), (-42, "-42"),
        (-1_000, "-1,000"), (Int64.max, "9,223,372,036,854,775,807"), (Int64.min, "-9,223,372,036,854,775,808"),
    ])
    func `is written with thousands separators`(amount: Int64, text: String) {
        #expect(Credits(amount).description == text)
    }

    @Test func `adds, subtracts and compares as a whole number`() {
        #expect(Credits(42) + Credits(8) == .credits(50))
        #expect(Credits(42) - Credits(50) == .credits(-8))
        #expect(Credits(-1) < .zero)
        #expect(!(Credits(42) < Credits(42)))
    }

    @Test func `is a bare number in JSON`() throws {
        #expect(String(decoding: try JSONEncoder().encode([Credits(42)]), as: UTF8.self) == "[42]")
        #expect(try JSONDecoder().decode([Credits].self, from: Data("[42, -1]".utf8)) == [.credits(42), .credits(-1)])
    }

    @Test func `is never a fraction in JSON`() {
        #expect(throws: DecodingError.self) { try JSONDecoder().decode([Credits].self, from: Data("[4.5]".utf8)) }
    }
}
