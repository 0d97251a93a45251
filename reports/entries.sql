-- Every entry of a wallet in order, from which its hash chain can be recomputed: the hash in hexadecimal, a space, the line. An
-- entry without a hash has dashes in its place, a hash without an entry an empty line.
-- Session setting: usage.wallet_id. The hashes are taken out of their links before they are joined (OFFSET 0), as in
-- sql/verify/entry_hash.sql.
SELECT coalesce(encode(link.hash, 'hex'), repeat('-', 64)) || ' ' || coalesce(entry.line, '') AS line
FROM (SELECT entry_number, line FROM entry WHERE wallet_id = current_setting('usage.wallet_id')::bigint) AS entry
FULL JOIN (SELECT entry_number, hash FROM entry_hash WHERE wallet_id = current_setting('usage.wallet_id')::bigint OFFSET 0) AS link
    USING (entry_number)
ORDER BY entry_number, entry.line COLLATE "C"
