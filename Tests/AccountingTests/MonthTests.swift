import Accounting
import Testing

@Suite struct `A month` {
    @Test func `is read as it is written`() throws {
        let month = try #require(Month("2026-05"))
        #expect((month.year, month.month) == (2026, 5))
        #expect(month.description == "2026-05")
    }

    @Test(arguments: [
        "2026", "2026-5", "2026-13", "2026-00", "26-05", "2026/05", "2026-05-01", " 2026-05", "2026-0a", "1999-12",
        "9999-01",
        "", "٢٠٢٦-٠٥", "-026-05",
    ])
    func `is not read from another text`(text: String) {
        #expect(Month(text) == nil)
    }

    @Test func `comes before every later one`() throws {
        let months = try ["2025-12", "2026-01", "2026-02", "2026-11"].map { try #require(Month($0)) }
        #expect(months.shuffled().sorted() == months)
    }

    @Test func `exists only in the calendar`() {
        #expect(Month(year: 2026, month: 0) == nil)
        #expect(Month(year: 2026, month: 13) == nil)
        #expect(Month(year: 1999, month: 12) == nil)
        #expect(Month(year: 2000, month: 1)?.description == "2000-01")
    }
}
