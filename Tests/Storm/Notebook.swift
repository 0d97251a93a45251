import Synchronization

/// What the callers asked, and every answer that one of them saw.
final class Notebook: Sendable {
    /// A caller's name for a request, in its wallet.
    struct Name: Hashable, Sendable, Comparable {
        let wallet: String
        let id: String

        static func < (left: Name, right: Name) -> Bool { (left.wallet, left.id) < (right.wallet, right.id) }
    }

    /// The guard's answer.
    struct Answer: Equatable, Sendable, CustomStringConvertible {
        let outcome: String
        let taskID: String
        let amount: Int

        var description: String { "\(outcome) \(taskID), \(amount) credits" }
    }

    /// All that is known of one request.
    struct Page: Sendable {
        var drafts: [Int: Draft] = [:]
        /// The first answer, and the variant that got it.
        var answer: (variant: Int, answer: Answer)?
        var answers = 0
    }

    private let state = Mutex<(pages: [Name: Page], differences: [Difference])>(([:], []))

    var pages: [Name: Page] { state.withLock { $0.pages } }
    /// Answers that contradict each other.
    var differences: [Difference] { state.withLock { $0.differences } }

    /// Notes that requests are about to be asked.
    func ask(_ drafts: [Draft]) {
        state.withLock { state in
            for draft in drafts {
                state.pages[Name(wallet: draft.wallet, id: draft.id), default: Page()].drafts[draft.variant] = draft
            }
        }
    }

    /// Notes an answer that a caller saw.
    func note(_ answer: Answer, to draft: Draft) {
        state.withLock { state in
            let name = Name(wallet: draft.wallet, id: draft.id)
            guard var page = state.pages[name] else { return }
            page.answers += 1
            if let first = page.answer {
                if first.answer != answer || first.variant != draft.variant {
                    state.differences.append(
                        Difference(
                            "the first answer stands", wallet: draft.wallet, task: first.answer.taskID,
                            subject: "request \(draft.id)", found: "\(answer) to take \(draft.variant)",
                            expected: "\(first.answer) to take \(first.variant)"))
                }
            } else {
                page.answer = (draft.variant, answer)
            }
            state.pages[name] = page
        }
    }

    /// Notes that a caller was told that its request contradicts an earlier one.
    func noteConflict(_ draft: Draft) {
        state.withLock { state in
            let page = state.pages[Name(wallet: draft.wallet, id: draft.id)]
            guard page?.drafts.count == 1 else { return }
            state.differences.append(
                Difference(
                    "only another body conflicts", wallet: draft.wallet, task: nil, subject: "request \(draft.id)",
                    found: "a conflict", expected: "an answer, as nobody asked for anything else"))
        }
    }
}

/// Something that is not as it must be.
struct Difference: Error, Sendable, Equatable, CustomStringConvertible {
    let rule: String
    let wallet: String
    let task: String?
    let subject: String
    let found: String
    let expected: String

    init(_ rule: String, wallet: String, task: String?, subject: String, found: String, expected: String) {
        self.rule = rule
        self.wallet = wallet
        self.task = task
        self.subject = subject
        self.found = found
        self.expected = expected
    }

    var description: String {
        let about = [wallet, task.map { "task \($0)" } ?? "", subject].filter { !$0.isEmpty }.joined(separator: ", ")
        return "\(rule): \(about): found \(found), expected \(expected)"
    }
}
