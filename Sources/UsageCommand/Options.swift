import Accounting
import ArgumentParser
import RivyaClient

/// Which wallet a command is about.
struct WalletOption: ParsableArguments {
    @Option(help: ArgumentHelp("The wallet.", valueName: "slug"))
    var wallet = "main"

    func validate() throws { try Check.slug(wallet, "wallet") }
}

/// How a list is printed.
enum ListFormat: String, ExpressibleByArgument, CaseIterable {
    case table, json
}

/// How a list is printed.
struct FormatOption: ParsableArguments {
    @Option(help: "How to print it: table for people, json for programs.")
    var format = ListFormat.table
}

/// Checks of arguments, each with a sentence that says how to put it right.
enum Check {
    /// A text of the caller's as a sentence quotes it: short, on one line, and without anything that looks like a key.
    static func shown(_ text: String, limit: Int = 60) -> String { Redaction(key: nil).clean(text, limit: limit) }

    static func slug(_ text: String, _ what: String) throws {
        // A key of the provider has the form of a name too, and must not become one by mistake.
        guard Slug.isValid(text), !text.hasPrefix("rvya_sk_") else {
            throw ValidationError(
                "'\(shown(text))' is not a name for a \(what); use 1 to 63 lower-case letters, digits, - or _, such as film-team."
            )
        }
    }

    static func credits(_ amount: Int64, atLeast least: Int64 = 0) throws {
        guard amount >= least, amount <= Credits.largestAccepted.amount else {
            throw ValidationError(
                "'\(amount)' is not a number of credits; write a whole number from \(least) to 10^15.")
        }
    }

    static func person(_ name: String) throws {
        guard !name.trimmed.isEmpty, name.utf8.count <= 200, isOneLine(name) else {
            throw ValidationError("--by needs the name of the person who says so, on one line, at most 200 bytes.")
        }
    }

    /// Whether a text can be listed: a line break or an escape sequence would change what a terminal shows.
    static func isOneLine(_ text: String) -> Bool {
        text.unicodeScalars.allSatisfy {
            ![.control, .lineSeparator, .paragraphSeparator].contains($0.properties.generalCategory)
        }
    }
}

extension String {
    /// The text without white space around it.
    var trimmed: String {
        let inner = drop(while: \.isWhitespace)
        return String(inner.reversed().drop(while: \.isWhitespace).reversed())
    }
}
