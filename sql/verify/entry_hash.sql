-- The hash chain: each entry has the hash that follows from the hash before it and from the entry as it stands now. Where a
-- row was changed, added, taken out or moved, the hash of that entry, or of the one after it, does not follow.
SELECT 'entry_hash' AS rule, wallet.slug AS wallet, format('entry %s, %s', entry.entry_number, entry.kind)
           || coalesce(' of task ' || entry.task_id, '') AS subject,
       coalesce('hash ' || encode(link.hash, 'hex'), 'no hash') AS found,
       'hash ' || encode(entry_hash_after(before.hash, entry.line), 'hex') AS expected
FROM entry
JOIN wallet USING (wallet_id)
LEFT JOIN entry_hash link USING (wallet_id, entry_number)
LEFT JOIN entry_hash before ON before.wallet_id = entry.wallet_id AND before.entry_number = entry.entry_number - 1
WHERE link.hash IS DISTINCT FROM entry_hash_after(before.hash, entry.line)
UNION ALL
SELECT 'entry_hash', wallet.slug, format('entry %s', link.entry_number), 'hash ' || encode(link.hash, 'hex'),
       'no hash: there is no such entry'
FROM entry_hash link
JOIN wallet USING (wallet_id)
LEFT JOIN entry USING (wallet_id, entry_number)
WHERE entry.entry_number IS NULL
ORDER BY wallet, subject;
