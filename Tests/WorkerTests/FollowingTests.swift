import Accounting
import Foundation
import Ledger
import RivyaSandbox
import TestDatabase
import Testing

@testable import Worker

@Suite(.books, .timeLimit(.minutes(10))) struct `Following a task` {
    @Test func `releases all of a failure that costs nothing`() async throws {
        var settings = SandboxSettings.quick
        settings.failureShare = 1
        try await withScene(settings) { scene async throws in
            let id = try await scene.submit()
            try await scene.work()
            #expect(try await scene.standing(of: id) == .failed)
            #expect(try await scene.errors() == ["task generation_failed"])
        }
    }

    @Test func `charges what a failure costs, and releases the rest`() async throws {
        try await withScene { scene async throws in
            await scene.sandbox.failNext(.failedWithCharge)
            let id = try await scene.submit()
            try await scene.work()
            #expect(try await scene.standing(of: id) == TaskStanding(state: "failed", charged: 10, released: 32))
        }
    }

    @Test(arguments: [3, -3])
    func `binds the hold to what the provider took, and records the difference`(difference: Int) async throws {
        var settings = SandboxSettings.endless
        settings.faults.priceDifferenceCredits = difference
        try await withScene(settings) { scene async throws in
            await scene.sandbox.failNext(.priceDifference)
            let id = try await scene.submit()
            let price = Int64(42 + difference)
            try await scene.withWorker { _ in
                try await scene.until("it is accepted") { try await scene.standing(of: id).state == "accepted" }
                #expect(try await scene.standing(of: id).held == price)
                try await scene.sandbox.finish(try await scene.providerTaskID(of: id), .succeeded)
                try await scene.until("it is charged") { try await scene.standing(of: id).state == "succeeded" }
            }
            #expect(try await scene.standing(of: id) == TaskStanding(state: "succeeded", charged: price))
            let recorded = try await scene.number("SELECT price_difference_credits AS number FROM day_total")
            #expect(recorded == Int64(difference))
        }
    }

    @Test(arguments: [30, 42, 50])
    func `charges the final credits of a success, whatever was reserved`(final: Int) async throws {
        try await withScene(.endless) { scene async throws in
            let id = try await scene.submit()
            try await scene.withWorker { _ in
                try await scene.until("it is accepted") { try await scene.standing(of: id).state == "accepted" }
                try await scene.sandbox.finish(
                    try await scene.providerTaskID(of: id), .succeeded, finalCredits: final)
                try await scene.until("it is charged") { try await scene.standing(of: id).state == "succeeded" }
            }
            let released = Int64(max(0, 42 - final))
            #expect(
                try await scene.standing(of: id)
                    == TaskStanding(state: "succeeded", charged: Int64(final), released: released))
        }
    }

    @Test func `settles nothing until the final credits are there`() async throws {
        var settings = SandboxSettings.quick
        settings.faults = Faults([.missingFinalCredits: 1])
        try await withScene(settings) { scene async throws in
            let id = try await scene.submit()
            try await scene.withWorker { _ in
                try await scene.until("it has ended without") { try await scene.errors().count >= 2 }
                #expect(try await scene.standing(of: id) == .accepted)
                try await scene.sandbox.books.change { $0.faults = Faults() }
                try await scene.until("it is charged") { try await scene.standing(of: id) == .succeeded }
            }
            #expect(Set(try await scene.errors()) == ["status unreadable_answer"])
        }
    }

    @Test(arguments: [
        (Fault.serverError, "internal_error"), (.apiDisabled, "public_api_disabled"), (.rateLimited, "rate_limited"),
        (.serverErrorAfter, "unreadable_answer"), (.cut, "no_answer"), (.brokenJSON, "unreadable_answer"),
    ])
    func `keeps the hold while the provider answers only with`(fault: Fault, code: String) async throws {
        try await withScene(.endless) { scene async throws in
            let id = try await scene.submit()
            try await scene.withWorker { _ in
                try await scene.until("it is accepted") { try await scene.standing(of: id).state == "accepted" }
                try await scene.sandbox.books.change { $0.faults = Faults([fault: 1]) }
                try await scene.sandbox.finish(try await scene.providerTaskID(of: id), .failed)
                try await scene.until("it was asked for in vain") { try await scene.errors().count >= 3 }
                #expect(try await scene.standing(of: id) == .accepted)
                try await scene.sandbox.books.change { $0.faults = Faults() }
                try await scene.until("it is released") { try await scene.standing(of: id) == .failed }
            }
            let errors = try await scene.errors()
            #expect(errors.dropLast().allSatisfy { $0 == "status \(code)" })
            #expect(errors.last == "task generation_failed")
        }
    }
}

@Suite(.books, .timeLimit(.minutes(10))) struct `A task that the provider denies` {
    /// Lets the key open another account, in which our tasks do not exist.
    private func hideTasks(in sandbox: RivyaSandbox) async throws {
        try await sandbox.books.change { settings in
            settings.accounts["default"]?.keys = [:]
            settings.accounts["other"] = .init(key: SandboxSettings.defaultKey, openingCredits: 0)
        }
    }

    private func showTasks(in sandbox: RivyaSandbox) async throws {
        try await sandbox.books.change { settings in
            settings.accounts["other"] = nil
            settings.accounts["default"]?.keys = [SandboxSettings.defaultKey: .active]
        }
    }

    @Test func `is asked for again while it is young`() async throws {
        try await withScene(.endless) { scene async throws in
            let id = try await scene.submit()
            try await scene.withWorker { _ in
                try await scene.until("it is accepted") { try await scene.standing(of: id).state == "accepted" }
                try await hideTasks(in: scene.sandbox)
                try await scene.until("it is denied") { try await scene.errors().count >= 2 }
                #expect(try await scene.standing(of: id) == .accepted)
                try await showTasks(in: scene.sandbox)
                try await scene.sandbox.finish(try await scene.providerTaskID(of: id), .succeeded)
                try await scene.until("it is charged") { try await scene.standing(of: id) == .succeeded }
            }
            #expect(Set(try await scene.errors()) == ["status not_found"])
        }
    }

    @Test func `leaves the queue where its books are closed already`() async throws {
        try await withScene(.endless) { scene async throws in
            let id = try await scene.submit()
            try await scene.withWorker(.quick { $0.resendWindow = .milliseconds(1) }) { _ in
                try await scene.until("it is accepted") { try await scene.standing(of: id).state == "accepted" }
                try await scene.sandbox.finish(try await scene.providerTaskID(of: id), .failed)
                try await scene.until("it has failed") { try await scene.standing(of: id) == .failed }
                try await hideTasks(in: scene.sandbox)
                try await scene.makeDue()
                try await scene.until("nobody waits for it") {
                    try await scene.number("SELECT count(*) AS number FROM task_work") == 0
                }
            }
            #expect(try await scene.standing(of: id) == .failed)
            #expect(try await scene.errors() == ["task generation_failed", "status not_found"])
        }
    }

    @Test func `waits for a person with its hold once it is old`() async throws {
        try await withScene(.endless) { scene async throws in
            let id = try await scene.submit()
            try await scene.withWorker(.quick { $0.resendWindow = .milliseconds(1) }) { _ in
                try await scene.until("it is accepted") { try await scene.standing(of: id).state == "accepted" }
                try await hideTasks(in: scene.sandbox)
                try await scene.until("it waits for a person") { try await scene.isForPerson(id) }
            }
            #expect(try await scene.standing(of: id) == .unknown)
            #expect(try await scene.errors() == ["status not_found"])
        }
    }
}

@Suite(.books, .timeLimit(.minutes(10))) struct `A settled task` {
    @Test func `is read once more after a failure, and then no more`() async throws {
        var settings = SandboxSettings.quick
        settings.failureShare = 1
        try await withScene(settings) { scene async throws in
            let id = try await scene.submit()
            try await scene.withWorker { _ in
                try await scene.until("it has failed") { try await scene.standing(of: id) == .failed }
                let asked = await scene.sandbox.books.report().requests["status"] ?? 0
                try await scene.makeDue()
                try await scene.until("it was read once more") {
                    try await scene.number("SELECT count(*) AS number FROM task_work") == 0
                }
                #expect(await scene.sandbox.books.report().requests["status"] == asked + 1)
            }
            #expect(try await scene.standing(of: id) == .failed)
            #expect(try await scene.number("SELECT count(*) AS number FROM correction") == 0)
            #expect(try await scene.errors() == ["task generation_failed"])
        }
    }

    @Test(arguments: [(0, 42), (0, 10), (10, 0), (10, 25)])
    func `is corrected where the provider changed its final credits`(first: Int, then: Int) async throws {
        try await withScene(.endless) { scene async throws in
            let id = try await scene.submit()
            try await scene.withWorker { _ in
                try await scene.until("it is accepted") { try await scene.standing(of: id).state == "accepted" }
                let providerTaskID = try await scene.providerTaskID(of: id)
                try await scene.sandbox.finish(providerTaskID, .failed, finalCredits: first)
                try await scene.until("it has failed") { try await scene.standing(of: id).state == "failed" }
                try await scene.sandbox.revise(providerTaskID, finalCredits: then)
                try await scene.makeDue()
                try await scene.until("it was read once more") {
                    try await scene.number("SELECT count(*) AS number FROM task_work") == 0
                }
            }
            #expect(
                try await scene.standing(of: id)
                    == TaskStanding(state: "failed", charged: Int64(then), released: Int64(42 - then)))
            #expect(try await scene.number("SELECT count(*) AS number FROM correction") == 1)
            #expect(try await scene.number("SELECT charged_credits AS number FROM settlement") == Int64(first))
        }
    }

    @Test(arguments: [(TaskOutcome.succeeded, 42), (.failed, 0), (.failed, 10)])
    func `is followed to the provider's own end where a person released it`(
        outcome: TaskOutcome, final: Int
    ) async throws {
        try await withScene(.endless) { scene async throws in
            let id = try await scene.submit()
            try await scene.withWorker { _ in
                try await scene.until("it is accepted") { try await scene.standing(of: id).state == "accepted" }
                let now = Date()
                let released = try await scene.ledger.settle(
                    Settlement(resolving: id, charged: .zero, by: "ada", reason: "too slow", at: now, recheckAt: now))
                #expect(released == .settled)
                #expect(try await scene.standing(of: id) == .failed)
                try await scene.sandbox.finish(
                    try await scene.providerTaskID(of: id), outcome, finalCredits: final)
                try await scene.until("the provider's end is known") {
                    try await scene.number("SELECT count(*) AS number FROM task_work") == 0
                }
            }
            #expect(
                try await scene.standing(of: id)
                    == TaskStanding(state: "failed", charged: Int64(final), released: Int64(42 - final)))
            #expect(try await scene.number("SELECT count(*) AS number FROM correction") == (final == 0 ? 0 : 1))
        }
    }
}
