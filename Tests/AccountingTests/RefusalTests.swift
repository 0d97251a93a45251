import Accounting
import Foundation
import Testing

@Suite struct `A reason for a refusal` {
    private func reason(_ json: String) throws -> RefusalReason {
        try JSONDecoder().decode(RefusalReason.self, from: Data(json.utf8))
    }

    @Test(arguments: [
        (
            #"""
            {"ceiling":"project_month","remaining_credits":12,"limit_credits":4200,\#
            "charged_credits":4146,"held_credits":42,"resets_on":"2026-06-01"}
            """#,
            "the project's month budget of 4,200 credits has 12 left (4,146 charged, 42 held); it resets on 2026-06-01"
        ),
        (
            #"""
            {"ceiling":"project_total","remaining_credits":0,"limit_credits":42,\#
            "charged_credits":42,"held_credits":0,"resets_on":null}
            """#,
            "the project's total budget of 42 credits has 0 left (42 charged, 0 held)"
        ),
        (
            #"""
            {"ceiling":"project_day","remaining_credits":1,"limit_credits":1,\#
            "charged_credits":0,"held_credits":0,"resets_on":"2026-05-13"}
            """#,
            "the project's day budget of 1 credits has 1 left (0 charged, 0 held); it resets on 2026-05-13"
        ),
        (
            #"""
            {"ceiling":"wallet","remaining_credits":3,\#
            "reading_credits":1003,"held_credits":1000,"reading_age_seconds":59}
            """#,
            "the wallet can give 3 more credits (reading 1,003, 59 s old; 1,000 held or taken since)"
        ),
        (
            #"{"ceiling":"wallet_gate","cause":"no_reading","remaining_credits":0,"needed_credits":0}"#,
            "the wallet's gate is closed: its balance was never read"
        ),
        (
            #"{"ceiling":"wallet_gate","cause":"guard_miss","remaining_credits":900,"needed_credits":42}"#,
            """
            the wallet's gate is closed: the provider had fewer credits than its reading said; \
            it opens when a new reading shows 42 free
            """
        ),
    ])
    func `is one sentence`(json: String, sentence: String) throws {
        #expect(try reason(json).description == sentence)
    }

    @Test func `has in JSON the names that the database has`() throws {
        let json =
            #"""
            {"ceiling":"wallet_gate","cause":"guard_miss","remaining_credits":900,\#
            "needed_credits":42,"reading_credits":950,"reading_age_seconds":7}
            """#
        let reason = try reason(json)
        #expect(reason.ceiling == .walletGate)
        #expect(reason.cause == .guardMiss)
        #expect(reason.needed == .credits(42))
        #expect(reason.reading == .credits(950))
        #expect(reason.readingAgeSeconds == 7)
        #expect(try JSONDecoder().decode(RefusalReason.self, from: JSONEncoder().encode(reason)) == reason)
    }
}
