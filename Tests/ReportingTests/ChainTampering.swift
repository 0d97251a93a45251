import Testing

/// A change of a wallet's entries by somebody who may do anything, and the entry that it is found at.
struct ChainTampering: Sendable, CustomTestStringConvertible {
    let name: String
    let sql: String
    /// A query for the entry that has to be named.
    let entry: String
    /// Whether it is only found by who noted the head down before.
    let needsAnchor: Bool

    var testDescription: String { name }

    private init(_ name: String, at entry: String, needsAnchor: Bool = false, _ sql: String) {
        self.name = name
        self.sql = sql
        self.entry = "SELECT (\(entry))::bigint"
        self.needsAnchor = needsAnchor
    }

    private static let studio = "(SELECT wallet_id FROM wallet WHERE slug = 'studio')"
    private static let settlement = "SELECT entry_number FROM settlement WHERE outcome = 'succeeded' ORDER BY 1 LIMIT 1"
    private static let reservation = "SELECT entry_number FROM reservation ORDER BY 1 OFFSET 3 LIMIT 1"
    private static let error = "SELECT entry_number FROM recorded_error"
    private static let last = "SELECT last_entry_number FROM wallet_balance WHERE wallet_id = \(studio)"

    /// Makes each link one of a single entry, which changes nothing but lets one hash be taken out.
    private static let split = """
        CREATE TEMP TABLE single AS SELECT * FROM entry_hash;
        DELETE FROM entry_link;
        INSERT INTO entry_link SELECT wallet_id, entry_number, entry_number, hash FROM single;

        """

    /// Hashes from an entry on, as somebody computes them who knows how.
    private static func rehash(from entry: String, to end: String) -> String {
        split + """
            CREATE TEMP TABLE forged AS
                SELECT entry_number, line FROM entry
                WHERE wallet_id = \(studio) AND entry_number BETWEEN (\(entry)) AND (\(end)) ORDER BY 1;
            CREATE TEMP TABLE kept AS SELECT * FROM entry_link WHERE wallet_id = \(studio) AND last_entry_number > (\(end));
            DELETE FROM entry_link WHERE wallet_id = \(studio) AND last_entry_number >= (\(entry));
            INSERT INTO entry_link
                SELECT link.* FROM entry_links(\(studio), (\(entry)), ARRAY(SELECT line FROM forged ORDER BY entry_number)) AS link;
            INSERT INTO entry_link SELECT * FROM kept
            """
    }

    static let all = [
        ChainTampering(
            "an amount is edited", at: settlement,
            """
            UPDATE settlement SET charged_credits = charged_credits - 1, released_credits = released_credits + 1
            WHERE entry_number = (\(settlement))
            """),
        ChainTampering("a text is edited", at: error, "UPDATE recorded_error SET message = 'nothing'"),
        ChainTampering(
            "a moment is edited", at: reservation,
            """
            UPDATE reservation SET reserved_at = reserved_at + interval '1 microsecond'
            WHERE entry_number = (\(reservation))
            """),
        ChainTampering(
            "a row is deleted", at: "SELECT 1 + max(entry_number) FROM entry WHERE kind = 'recorded_error'",
            split + "DELETE FROM entry_link WHERE last_entry_number = (\(error)); DELETE FROM recorded_error"),
        ChainTampering("a row is deleted and its hash is left", at: error, "DELETE FROM recorded_error"),
        ChainTampering(
            "a row is put in", at: last,
            """
            INSERT INTO budget_change SELECT wallet_id, (\(last)) + 1, project_id, period, 99999, changed_at, recorded_at
                FROM budget_change WHERE wallet_id = \(studio) LIMIT 1;
            INSERT INTO entry_link VALUES (\(studio), (\(last)) + 1, (\(last)) + 1, sha256('x'));
            UPDATE wallet_balance SET last_entry_number = last_entry_number + 1 WHERE wallet_id = \(studio)
            """),
        ChainTampering(
            "two rows change places", at: reservation,
            """
            UPDATE reservation hold SET entry_number = 1000000 - hold.entry_number
                WHERE entry_number IN (SELECT entry_number FROM reservation ORDER BY 1 OFFSET 3 LIMIT 2);
            UPDATE reservation hold SET entry_number = places.lower + places.upper - (1000000 - hold.entry_number)
                FROM (SELECT min(1000000 - entry_number) AS lower, max(1000000 - entry_number) AS upper
                      FROM reservation WHERE entry_number > 900000) AS places
                WHERE hold.entry_number > 900000
            """),
        ChainTampering(
            "a row is edited and hashed anew", at: "SELECT 1 + entry_number FROM recorded_error",
            "UPDATE recorded_error SET message = 'nothing'; " + rehash(from: error, to: error)),
        ChainTampering(
            "a hash is replaced", at: reservation,
            """
            UPDATE entry_link
            SET hashes = overlay(hashes PLACING sha256('x') FROM 32 * ((\(reservation)) - first_entry_number)::integer + 1)
            WHERE wallet_id = \(studio) AND (\(reservation)) BETWEEN first_entry_number AND last_entry_number
            """),
        ChainTampering(
            "a row moves to another wallet",
            at: "SELECT 1 + max(entry_number) FROM entry WHERE kind = 'recorded_error'",
            split + """
                DELETE FROM entry_link WHERE last_entry_number = (\(error));
                UPDATE recorded_error SET wallet_id = 1, entry_number = 1
                """),
        ChainTampering(
            "a row is edited and all is hashed anew from there on", at: last, needsAnchor: true,
            "UPDATE recorded_error SET message = 'nothing'; " + rehash(from: error, to: last)),
        ChainTampering(
            "the end is cut off", at: last, needsAnchor: true,
            split + """
                DELETE FROM budget_change WHERE entry_number = (\(last)) AND wallet_id = \(studio);
                DELETE FROM entry_link WHERE last_entry_number = (\(last)) AND wallet_id = \(studio);
                UPDATE wallet_balance SET last_entry_number = last_entry_number - 1 WHERE wallet_id = \(studio)
                """),
    ]
}
