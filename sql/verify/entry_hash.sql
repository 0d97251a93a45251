-- The hash chain: each entry has the hash that follows from the hash before it and from the entry as it stands now. Where a
-- row was changed, added, taken out or moved, the hash of that entry, or of the one after it, does not follow. The line of an entry is
-- put together when it is asked for, so only once. The hashes are taken out of their links before they are joined (OFFSET 0): a link has
-- those of a whole group, and would be carried along for each.
SELECT 'entry_hash' AS rule, wallet.slug AS wallet,
       format('entry %s', entry_number) || coalesce(', ' || entry.kind, '') || coalesce(' of task ' || entry.task_id, '') AS subject,
       coalesce('hash ' || encode(link.hash, 'hex'), 'no hash') AS found,
       CASE WHEN entry.kind IS NULL THEN 'no hash: there is no such entry'
            WHEN link.hash IS NULL THEN 'a hash that follows from the one before'
            ELSE 'hash ' || encode(entry_hash_after(link.hash_before, entry.line), 'hex') END AS expected
FROM entry
FULL JOIN (SELECT wallet_id, entry_number, hash, hash_before FROM entry_hash OFFSET 0) AS link USING (wallet_id, entry_number)
JOIN wallet USING (wallet_id)
WHERE entry.kind IS NULL OR link.hash IS DISTINCT FROM entry_hash_after(link.hash_before, entry.line)
ORDER BY wallet.slug, entry_number;
