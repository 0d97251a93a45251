import Reporting
import Testing

@Suite struct `A table of text` {
    @Test func `lines texts up to the left and numbers to the right`() {
        var table = TextTable([.text("name"), .number("credits")])
        table.add(["a", "1"])
        table.add(["a longer one", "1,000,000"])
        table.addTotal(["total", "1,000,001"])
        #expect(
            table.render() == """
                name            credits
                ------------  ---------
                a                     1
                a longer one  1,000,000
                ------------  ---------
                total         1,000,001

                """)
    }

    @Test func `does not count colours as width`() {
        var table = TextTable([.text("a"), .number("b"), .text("c")])
        table.add(["\u{1B}[31mred\u{1B}[0m", "1", "x"])
        table.add(["plain", "\u{1B}[1m22\u{1B}[0m", "y"])
        #expect(
            table.render() == """
                a       b  c
                -----  --  -
                \u{1B}[31mred\u{1B}[0m     1  x
                plain  \u{1B}[1m22\u{1B}[0m  y

                """)
    }

    @Test func `has no blanks at the end of a line`() {
        var table = TextTable([.text("a"), .text("detail")])
        table.add(["1", "said so  "])
        table.add(["2", ""])
        #expect(table.render() == "a  detail\n-  ---------\n1  said so\n2\n")
    }

    @Test func `has a head without rows`() {
        #expect(TextTable([.text("name"), .number("n")]).render() == "name  n\n----  -\n")
    }
}
