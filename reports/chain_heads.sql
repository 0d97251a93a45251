-- The head of each wallet's hash chain: its newest entry and that entry's hash, in hexadecimal. Of wallet $1 (slug), or of all.
-- Read from the last link itself: the view entry_hash takes apart all of a wallet's links before it gives one hash.
SELECT wallet.wallet_id, wallet.slug AS wallet, balance.last_entry_number AS entries,
       coalesce(encode(substr(link.hashes, length(link.hashes) - 31), 'hex'), repeat('0', 64)) AS hash,
       set_config('usage.wallet_id', wallet.wallet_id::text, true) AS chosen
FROM wallet
JOIN wallet_balance balance USING (wallet_id)
LEFT JOIN entry_link link ON link.wallet_id = wallet.wallet_id AND link.last_entry_number = balance.last_entry_number
WHERE $1::text IS NULL OR wallet.slug = $1::text
ORDER BY wallet.wallet_id
