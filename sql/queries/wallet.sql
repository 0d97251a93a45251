-- The wallet named $1 with its balance, or all wallets where $1 is null.
SELECT wallet.wallet_id, wallet.slug, wallet.time_zone, wallet.api_key_variable, balance.reserved_credits,
       balance.charged_credits, balance.released_credits, balance.held_credits, balance.reading_credits, balance.read_at,
       available_credits(balance) AS available_credits, balance.gate, balance.gate_needed_credits, balance.guard_misses,
       balance.unattributed_credits, reading.recorded_at AS reading_recorded_at
FROM wallet JOIN wallet_balance balance USING (wallet_id)
LEFT JOIN wallet_reading reading
    ON reading.wallet_id = wallet.wallet_id AND reading.entry_number = balance.reading_entry_number
WHERE $1::text IS NULL OR wallet.slug = $1::text
ORDER BY wallet.wallet_id;
