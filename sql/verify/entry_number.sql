-- The entries of each wallet are numbered 1, 2, 3 … to the last, each number once.
WITH entry AS (
    SELECT wallet_id, entry_number FROM reservation
    UNION ALL SELECT wallet_id, entry_number FROM refusal
    UNION ALL SELECT wallet_id, entry_number FROM acceptance
    UNION ALL SELECT wallet_id, entry_number FROM settlement
    UNION ALL SELECT wallet_id, entry_number FROM correction
    UNION ALL SELECT wallet_id, entry_number FROM recorded_error
    UNION ALL SELECT wallet_id, entry_number FROM wallet_reading
    UNION ALL SELECT wallet_id, entry_number FROM budget_change
)
SELECT wallet.slug AS wallet, 'entries' AS subject,
       format('%s entries, %s numbers from %s to %s', counted.entries, counted.numbers, counted.lowest, counted.highest) AS found,
       format('%s entries, %s numbers from 1 to %s', balance.last_entry_number, balance.last_entry_number, balance.last_entry_number) AS expected
FROM wallet
JOIN wallet_balance balance USING (wallet_id)
CROSS JOIN LATERAL (
    SELECT count(*) AS entries, count(DISTINCT entry_number) AS numbers, coalesce(min(entry_number), 1) AS lowest,
           coalesce(max(entry_number), 0) AS highest
    FROM entry WHERE entry.wallet_id = wallet.wallet_id
) AS counted
WHERE (counted.entries, counted.numbers, counted.lowest, counted.highest)
    <> (balance.last_entry_number, balance.last_entry_number, 1, balance.last_entry_number)
ORDER BY wallet.wallet_id;
