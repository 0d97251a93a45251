import Accounting
import ArgumentParser
import Ledger
import Reporting
import RivyaClient

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

struct SubmitCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "submit", abstract: "Submit a task, or a file of tasks, through the budget guard.",
        discussion: """
            The credits are held before anything is sent; a worker (usage worker) sends the task. Asking again with the same \
            --client-request-id returns the first answer. Exit code 2: the guard refused.

            EXAMPLE: one task, one with a first and a last frame, and a file of many
              usage submit --project films --prompt "A lighthouse at dawn"
              usage submit --project films --prompt "Day turns to night" \\
                --reference day.png --reference night.png
              usage submit --file tasks.jsonl

            A LINE OF A FILE
              {"project": "films", "prompt": "Dawn", "client_request_id": "film-1"}
            """)

    @Option(help: "The project that pays.")
    var project: String?

    @Option(help: "What to make; 1 to 2500 UTF-16 units for kling-v2-5-turbo-pro.")
    var prompt: String?

    @Option(help: "The provider's model id.")
    var model = "kling-v2-5-turbo-pro"

    @Option(help: ArgumentHelp("Length in seconds: 5 or 10.", valueName: "seconds"))
    var duration: String?

    @Option(help: ArgumentHelp("16:9, 9:16 or 1:1.", valueName: "ratio"))
    var aspectRatio: String?

    @Option(help: ArgumentHelp("What not to show.", valueName: "text"))
    var negativePrompt: String?

    @Option(help: ArgumentHelp("How closely to follow the prompt: 0 to 1.", valueName: "number"))
    var cfgScale: Double?

    @Option(help: ArgumentHelp("Another parameter of the model: name=text, or name:=number.", valueName: "name=value"))
    var param: [String] = []

    @Option(
        help: ArgumentHelp(
            "An image to start from; a second one to end with. JPEG, PNG or WebP, 10 MB.", valueName: "file"))
    var reference: [String] = []

    @Option(help: ArgumentHelp("Your own name for the request, so that it can be asked again.", valueName: "id"))
    var clientRequestID: String?

    @Option(help: ArgumentHelp("Submit every line of this file; all are checked first.", valueName: "file"))
    var file: String?

    @Flag(help: "Wait until the tasks have ended.")
    var wait = false

    @OptionGroup var wallet: WalletOption
    @OptionGroup var format: FormatOption

    func validate() throws {
        if let project { try Check.slug(project, "project") }
        if file != nil {
            guard prompt == nil, reference.isEmpty, clientRequestID == nil, parameterOptions.isEmpty, param.isEmpty
            else {
                throw ValidationError(
                    "With --file, prompt, parameters and references stand in the file; leave the options out.")
            }
            return
        }
        guard project != nil else { throw ValidationError("The project is missing; name it with --project films.") }
        guard prompt != nil else {
            throw ValidationError("The prompt is missing; give it with --prompt \"A lighthouse at dawn\".")
        }
        _ = try parameters()
    }

    private var parameterOptions: [String: ParameterValue] {
        var values: [String: ParameterValue] = [:]
        values["duration"] = duration.map { .string($0) }
        values["aspect_ratio"] = aspectRatio.map { .string($0) }
        values["negative_prompt"] = negativePrompt.map { .string($0) }
        values["cfg_scale"] = cfgScale.map { .number($0) }
        return values
    }

    /// All parameters, each of them given once.
    private func parameters() throws -> [String: ParameterValue] {
        var parameters = parameterOptions
        for text in param {
            guard let equals = text.firstIndex(of: "="), !text.hasPrefix("="), !text.hasPrefix(":=") else {
                throw ValidationError("'\(Check.shown(text))' is not a parameter; write it as name=text or name:=0.5.")
            }
            let value = String(text[text.index(after: equals)...])
            let isText = text[..<equals].last != ":"
            let name = String(isText ? text[..<equals] : text[..<equals].dropLast())
            guard parameters[name] == nil else {
                throw ValidationError("The parameter '\(Check.shown(name))' is given twice; leave one of them out.")
            }
            parameters[name] =
                isText ? .string(value) : Bool(value).map { .bool($0) } ?? Double(value).map { .number($0) }
            guard parameters[name] != nil else {
                throw ValidationError("'\(Check.shown(text))' gives no number, true or false; write it as name:=0.5.")
            }
        }
        return parameters
    }

    /// The tasks that are asked for, checked against their models' contracts.
    func drafts() throws -> [Draft] {
        if let file { return try TaskFile.read(file, project: project, model: model) }
        return [
            try Draft(
                project: project ?? "",
                request: GenerationRequest(model: model, prompt: prompt, parameters: try parameters()),
                references: reference, clientRequestID: clientRequestID)
        ]
    }

    func run() async throws {
        let drafts = try drafts()
        let outcomes = try await Books.open(connections: 4) { books in
            let ledger = try await books.ledger(of: wallet.wallet)
            try await Provider.readFirstBalance(of: ledger, in: books)
            if file != nil { try await check(drafts, against: ledger) }
            let outcomes = try await submit(drafts, to: ledger)
            report(outcomes, of: drafts)
            if wait { try await waitForEnd(of: outcomes, in: ledger) }
            return outcomes
        }
        if outcomes.contains(where: { if case .failed = $0 { true } else { false } }) { throw ExitCode.failure }
        if outcomes.contains(where: { if case .refused = $0 { true } else { false } }) { throw ExitCode.refused }
    }

    /// Looks for the projects and prices of all lines before anything is held for the first.
    private func check(_ drafts: [Draft], against ledger: Ledger) async throws {
        let now = SystemClock.now
        let projects = Set(try await ledger.budgets(at: now).map(\.project))
        let prices = try await ledger.prices().filter { $0.effectiveFrom <= now }
        for draft in drafts {
            if !projects.contains(draft.project) {
                throw Mistake(named(draft, "\(LedgerError.unknownProject(draft.project))"))
            }
            let (model, parameters) = (draft.request.model, draft.request.parameters)
            let isPriced = prices.contains { price in
                price.model == model && price.parameter.map { parameters[$0.name]?.text == $0.value } ?? true
            }
            if !isPriced { throw Mistake(named(draft, "\(LedgerError.unpriced(model: model))")) }
        }
    }

    /// A sentence about a draft, with the line in which that stands.
    private func named(_ draft: Draft, _ sentence: String) -> String {
        guard let file, let line = draft.line else { return sentence }
        return Check.shown("\(file), line \(line): \(sentence)", limit: 1000)
    }

    private func submit(_ drafts: [Draft], to ledger: Ledger) async throws -> [Submission.Outcome] {
        guard drafts.contains(where: { !$0.references.isEmpty }) else {
            return await SubmitCommand.submitAll(drafts, Submission(ledger: ledger, client: nil))
        }
        return try await Provider.withClient(of: ledger.wallet) { client in
            await SubmitCommand.submitAll(drafts, Submission(ledger: ledger, client: client))
        }
    }

    /// Submits in order, with a bounded number on their way at once so that they share commits.
    private static func submitAll(_ drafts: [Draft], _ submission: Submission) async -> [Submission.Outcome] {
        let bar = drafts.count > 1 ? ProgressBar("submitting", total: drafts.count) : nil
        return await withTaskGroup(of: (Int, Submission.Outcome).self) { group in
            var outcomes = [Submission.Outcome?](repeating: nil, count: drafts.count)
            var next = 0
            func start() {
                guard next < drafts.count else { return }
                let place = next
                group.addTask { (place, await submission.submit(drafts[place])) }
                next += 1
            }
            for _ in 0..<500 { start() }
            while let (place, outcome) = await group.next() {
                outcomes[place] = outcome
                bar?.advance()
                start()
            }
            return outcomes.compactMap { $0 }
        }
    }

    private struct Line: Encodable {
        let line: Int?
        let clientRequestID: String?
        let outcome: String
        let taskID: String?
        let amountCredits: Int64?
        let reasons: [RefusalReason]?
        let error: String?
    }

    private func report(_ outcomes: [Submission.Outcome], of drafts: [Draft]) {
        if format.format == .json {
            for (draft, outcome) in zip(drafts, outcomes) {
                Terminal.print(JSONOutput.text(line(draft, outcome), pretty: false))
            }
            return
        }
        var tasks: [TaskID] = []
        var (queued, held) = (0, Credits.zero)
        for (draft, outcome) in zip(drafts, outcomes) {
            switch outcome {
            case .queued(let reservation, let isRepeated):
                tasks.append(reservation.taskID)
                guard !isRepeated else { continue }
                queued += 1
                held = held + reservation.amount
            case .refused(let refusal, let isRepeated):
                let reasons = refusal.reasons.map(\.description).joined(separator: "; ")
                let since = " That was the answer at \(refusal.refusedAt.text); a new client_request_id gets a new one."
                Terminal.note(
                    named(draft, "Refused, nothing held (\(refusal.taskID)): \(reasons)." + (isRepeated ? since : "")))
            case .failed(let sentence): Terminal.note("Error: \(named(draft, sentence))")
            }
        }
        for task in tasks { Terminal.print("\(task)\n") }
        guard outcomes.count > 1 else { return }
        let before = tasks.count - queued
        Terminal.note(
            "\(queued) of \(outcomes.count) tasks queued, \(held) credits held"
                + (before > 0 ? "; \(before) had been queued before, see: usage tasks" : "."))
    }

    private func line(_ draft: Draft, _ outcome: Submission.Outcome) -> Line {
        func line(
            _ outcome: String, _ task: TaskID? = nil, _ amount: Credits? = nil, reasons: [RefusalReason]? = nil,
            error: String? = nil
        ) -> Line {
            Line(
                line: draft.line, clientRequestID: draft.clientRequestID, outcome: outcome,
                taskID: task.map { "\($0)" }, amountCredits: amount?.amount, reasons: reasons, error: error)
        }
        return switch outcome {
        case .queued(let reservation, _): line("queued", reservation.taskID, reservation.amount)
        case .refused(let refusal, _): line("refused", refusal.taskID, refusal.amount, reasons: refusal.reasons)
        case .failed(let sentence): line("failed", error: sentence)
        }
    }

    private func waitForEnd(of outcomes: [Submission.Outcome], in ledger: Ledger) async throws {
        var open = outcomes.compactMap { if case .queued(let reservation, _) = $0 { reservation.taskID } else { nil } }
        let bar = ProgressBar("waiting", total: open.count)
        var hasFailure = false
        var rounds = 0
        while !open.isEmpty {
            var stillOpen: [TaskID] = []
            for task in try await ledger.progress(of: open) {
                guard ["succeeded", "failed", "rejected"].contains(task.state) || task.needsPerson else {
                    stillOpen.append(task.id)
                    continue
                }
                bar.advance()
                if task.state != "succeeded" {
                    hasFailure = true
                    let advice = task.needsPerson ? "it needs a person: usage task resolve" : "see: usage task"
                    Terminal.note("Task \(task.id) is \(task.state); \(advice) \(task.id)")
                }
            }
            if rounds == 10, stillOpen.count == open.count {
                Terminal.note("Nothing has moved yet; if no worker is running, start one with: usage worker")
            }
            open = stillOpen
            rounds += 1
            if !open.isEmpty { try await Task.sleep(for: .milliseconds(500)) }
        }
        if hasFailure { throw ExitCode.failure }
    }
}
