-- The entries of each wallet are numbered 1, 2, 3 … to the last, and as many hashes are there. That no number stands twice
-- follows from the hashes: each is the hash of one entry only.
SELECT 'entry_number' AS rule, wallet.slug AS wallet, 'entries' AS subject,
       format('%s entries from %s to %s, %s hashes', coalesce(counted.entries, 0), coalesce(counted.lowest, 0),
              coalesce(counted.highest, 0), coalesce(hashed.hashes, 0)) AS found,
       format('%s entries from %s to %s, %s hashes', last.number, least(last.number, 1), last.number, last.number) AS expected
FROM wallet
JOIN wallet_balance balance USING (wallet_id)
CROSS JOIN LATERAL (SELECT balance.last_entry_number) AS last (number)
LEFT JOIN (SELECT wallet_id, count(*) AS entries, min(entry_number) AS lowest, max(entry_number) AS highest
           FROM entry GROUP BY wallet_id) AS counted USING (wallet_id)
LEFT JOIN (SELECT wallet_id, count(*) AS hashes FROM entry_hash GROUP BY wallet_id) AS hashed USING (wallet_id)
WHERE (coalesce(counted.entries, 0), coalesce(counted.lowest, 0), coalesce(counted.highest, 0), coalesce(hashed.hashes, 0))
    <> (last.number, least(last.number, 1), last.number, last.number)
ORDER BY wallet.wallet_id;
