import Accounting
import Testing

@Suite struct `A slug` {
    @Test(arguments: ["a", "0", "alpha", "team-1", "a_b", "x--", "9lives", String(repeating: "a", count: 63)])
    func `is made of lower-case letters, digits, hyphens and underscores`(text: String) {
        #expect(Slug.isValid(text))
    }

    @Test(arguments: [
        "", "-a", "_a", "Alpha", "a b", "ä", "a.b", "a/b", "a\n", "a'", String(repeating: "a", count: 64),
    ])
    func `is nothing else`(text: String) {
        #expect(!Slug.isValid(text))
    }
}
