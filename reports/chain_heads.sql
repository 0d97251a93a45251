-- The head of each wallet's hash chain: its newest entry and that entry's hash, in hexadecimal. Of wallet $1 (slug), or of all.
SELECT wallet.wallet_id, wallet.slug AS wallet, balance.last_entry_number AS entries,
       coalesce(encode(link.hash, 'hex'), repeat('0', 64)) AS hash,
       set_config('usage.wallet_id', wallet.wallet_id::text, true) AS chosen
FROM wallet
JOIN wallet_balance balance USING (wallet_id)
LEFT JOIN entry_hash link ON link.wallet_id = wallet.wallet_id AND link.entry_number = balance.last_entry_number
WHERE $1::text IS NULL OR wallet.slug = $1::text
ORDER BY wallet.wallet_id
