import Foundation
import RivyaSandbox

/// Holds our books against the provider's, task by task and wallet by wallet. Every difference is listed.
struct Comparison {
    let plan: Plan
    let ours: OurBooks
    let provider: BooksReport
    let pages: [Notebook.Name: Notebook.Page]
    /// What people said that tasks cost.
    let words: [String: Set<Int>]
    /// Tasks of the provider's whose cost may have changed after our last look.
    let unseenRevisions: Set<String>
    private(set) var differences: [Difference] = []
    private(set) var strays: [String: Int] = [:]

    init(
        plan: Plan, ours: OurBooks, provider: BooksReport, pages: [Notebook.Name: Notebook.Page],
        words: [String: Set<Int>], unseenRevisions: Set<String>
    ) {
        self.plan = plan
        self.ours = ours
        self.provider = provider
        self.pages = pages
        self.words = words
        self.unseenRevisions = unseenRevisions
        compareTasks()
        for wallet in ours.wallets { compareWallet(wallet) }
        compareAnswers()
    }

    private mutating func add(
        _ rule: String, _ wallet: String, task: String? = nil, _ subject: String = "", found: some Any,
        expected: some Any
    ) {
        differences.append(
            Difference(
                rule, wallet: wallet, task: task, subject: subject, found: "\(found)", expected: "\(expected)"))
    }

    private mutating func expect<Value: Equatable>(
        _ rule: String, _ wallet: String, task: String? = nil, _ subject: String = "", found: Value, expected: Value
    ) {
        guard found != expected else { return }
        add(rule, wallet, task: task, subject, found: "\(found)", expected: "\(expected)")
    }

    // MARK: Tasks

    private mutating func compareTasks() {
        var byKey: [String: BooksReport.TaskLine] = [:]
        for line in provider.tasks {
            guard let key = line.idempotencyKey else {
                add("every provider task has a key", line.account, line.id, found: "none", expected: "a task of ours")
                continue
            }
            if let first = byKey[key] {
                add("one provider task per key", line.account, task: key, found: line.id, expected: first.id)
            }
            byKey[key] = line
        }
        for task in ours.tasks {
            compare(task, with: byKey.removeValue(forKey: task.id))
            expectDay(of: task)
            expectEvidence(for: task)
        }
        for (key, line) in byKey.sorted(by: { $0.key < $1.key }) {
            add("every key is a task of ours", line.account, task: key, line.id, found: "none", expected: "a task")
        }
    }

    private mutating func compare(_ task: OurBooks.Task, with line: BooksReport.TaskLine?) {
        expect("nothing is held in the end", task.wallet, task: task.id, found: task.held, expected: 0)
        guard let line else {
            expect("what was accepted exists", task.wallet, task: task.id, found: task.providerTaskID, expected: nil)
            compareCharge(task, finalCredits: 0, isRevised: false)
            return
        }
        expect("the task is in its wallet", task.wallet, task: task.id, found: line.account, expected: task.wallet)
        expect(
            "the bytes sent are the bytes stored", task.wallet, task: task.id, found: line.requestSHA256,
            expected: task.bodySHA256 ?? "none")
        if let providerTaskID = task.providerTaskID {
            expect("the provider's id", task.wallet, task: task.id, found: providerTaskID, expected: line.id)
        } else if task.outcome == "rejected" {
            add("a rejected task does not exist", task.wallet, task: task.id, found: line.id, expected: "none")
        }
        guard line.status == .succeeded || line.status == .failed else {
            add("every provider task has ended", task.wallet, task: task.id, found: line.status, expected: "an end")
            return
        }
        if task.evidence == "provider", let outcome = task.outcome {
            expect("the outcome", task.wallet, task: task.id, found: outcome, expected: line.status.rawValue)
        }
        compareCharge(task, finalCredits: line.finalCredits, isRevised: unseenRevisions.contains(line.id))
    }

    /// The charge is what the provider kept, unless a person's word stands alone, or the provider changed its mind after
    /// our last look: what differs then has to be among the unattributed credits, to the credit.
    private mutating func compareCharge(_ task: OurBooks.Task, finalCredits: Int, isRevised: Bool) {
        guard task.charged != finalCredits else { return }
        let isWordAlone = task.evidence == "person" && task.providerTaskID == nil
        guard isWordAlone || isRevised else {
            add("the charge", task.wallet, task: task.id, found: task.charged, expected: finalCredits)
            return
        }
        strays[isWordAlone ? "a person's word alone" : "changed after our last look", default: 0] += 1
    }

    private mutating func expectEvidence(for task: OurBooks.Task) {
        switch (task.outcome, task.evidence) {
        case ("rejected", "provider"):
            guard !task.hasRecordedNo else { return }
            add("a release has evidence", task.wallet, task: task.id, found: "rejected", expected: "the provider's no")
        case ("succeeded", "provider"), ("failed", "provider"):
            guard task.providerTaskID == nil || task.isAcceptedLate else { return }
            add(
                "an end has evidence", task.wallet, task: task.id, found: task.outcome ?? "",
                expected: "an acceptance before it")
        case (_, "person"):
            expect("a person has a name", task.wallet, task: task.id, found: task.resolvedBy, expected: People.name)
            let said = words[task.id] ?? []
            if !said.contains(task.settledCharge ?? -1) {
                add("a person's word", task.wallet, task: task.id, found: task.settledCharge ?? -1, expected: said)
            }
        default:
            add("every task has ended", task.wallet, task: task.id, found: task.outcome ?? "open", expected: "an end")
        }
    }

    /// The day of a hold, reckoned without the database's idea of time zones.
    private mutating func expectDay(of task: OurBooks.Task) {
        guard let slug = plan.wallets.first(where: { $0.slug == task.wallet }),
            let zone = TimeZone(identifier: slug.timeZone)
        else { return }
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = zone
        let day = calendar.dateComponents([.year, .month, .day], from: task.reservedAt)
        let expected = String(format: "%04d-%02d-%02d", day.year ?? 0, day.month ?? 0, day.day ?? 0)
        expect(
            "the day of a hold", task.wallet, task: task.id, "\(task.reservedAt)", found: task.day, expected: expected)
    }

    // MARK: Wallets

    private mutating func compareWallet(_ wallet: OurBooks.Wallet) {
        guard let account = provider.accounts.first(where: { $0.name == wallet.slug })?.totals else {
            return add("every wallet has an account", wallet.slug, found: "none", expected: "an account")
        }
        let tasks = ours.tasks.filter { $0.wallet == wallet.slug }
        let charged = tasks.reduce(0) { $0 + $1.charged }
        let slug = wallet.slug
        expect("the provider's sums", slug, found: account.isBalanced, expected: true)
        expect("held at the provider", slug, found: account.heldCredits, expected: 0)
        expect("held", slug, found: wallet.held, expected: 0)
        expect("waiting", slug, found: wallet.waiting, expected: 0)
        expect("charged", slug, found: wallet.charged, expected: charged)
        expect("taken less returned", slug, found: wallet.net, expected: charged)
        expect("the reading", slug, found: wallet.reading, expected: account.currentCredits)
        // Whatever the provider charged beyond our books left the wallet without an explanation of ours.
        let beyond = account.chargedCredits - charged
        expect(
            "unattributed", slug, found: wallet.unattributed,
            expected: account.studioSpentCredits - account.toppedUpCredits + beyond)
        if strays.isEmpty { expect("charged by the provider", slug, found: charged, expected: account.chargedCredits) }
    }

    // MARK: Answers

    private mutating func compareAnswers() {
        let tasks = Dictionary(ours.tasks.map { ($0.wallet + $0.id, $0) }) { $1 }
        let refusals = Dictionary(ours.refusals.map { ($0.wallet + $0.id, $0) }) { $1 }
        for (name, page) in pages.sorted(by: { $0.key < $1.key }) {
            guard let (variant, answer) = page.answer else {
                add("every request gets an answer", name.wallet, "request \(name.id)", found: "none", expected: "one")
                continue
            }
            let subject = "request \(name.id)"
            switch answer.outcome {
            case "queued":
                guard let task = tasks[name.wallet + answer.taskID] else {
                    add(
                        "an answer is in the books", name.wallet, task: answer.taskID, subject, found: "none",
                        expected: answer)
                    continue
                }
                expect(
                    "an answer's amount", name.wallet, task: task.id, subject, found: answer.amount,
                    expected: task.amount)
                expect(
                    "an answer's request", name.wallet, task: task.id, subject, found: task.clientRequestID,
                    expected: name.id)
                let prompt = page.drafts[variant]?.prompt ?? ""
                if task.body?.contains("\"\(prompt)\"") != true {
                    add(
                        "an answer's body", name.wallet, task: task.id, subject, found: task.body ?? "none",
                        expected: prompt)
                }
            case "refused":
                guard let refusal = refusals[name.wallet + answer.taskID] else {
                    add(
                        "a refusal is in the books", name.wallet, task: answer.taskID, subject, found: "none",
                        expected: answer)
                    continue
                }
                expect(
                    "a refusal's amount", name.wallet, task: refusal.id, subject, found: answer.amount,
                    expected: refusal.amount)
                expect(
                    "a refusal's request", name.wallet, task: refusal.id, subject, found: refusal.clientRequestID,
                    expected: name.id)
            default: add("an answer is known", name.wallet, subject, found: answer, expected: "queued or refused")
            }
        }
        // And nothing is in the books that nobody asked for.
        for request in ours.tasks.map({ Notebook.Name(wallet: $0.wallet, id: $0.clientRequestID) })
            + ours.refusals.map({ Notebook.Name(wallet: $0.wallet, id: $0.clientRequestID) })
        where pages[request] == nil {
            add(
                "every request was asked", request.wallet, "request \(request.id)", found: "one in the books",
                expected: "none")
        }
    }
}
