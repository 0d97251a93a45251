-- Each wallet's running totals equal its entries.
SELECT wallet.slug AS wallet, kept.name AS subject, coalesce(kept.value::text, 'none') AS found,
       coalesce(counted.value::text, 'none') AS expected
FROM wallet
JOIN wallet_balance balance USING (wallet_id)
CROSS JOIN LATERAL (
    SELECT coalesce(sum(c.reserved_credits), 0) AS reserved, coalesce(sum(c.charged_credits), 0) AS charged,
           coalesce(sum(c.released_credits), 0) AS released, coalesce(sum(c.held_credits), 0) AS held,
           coalesce(sum(c.waiting_credits), 0) AS waiting
    FROM task_credits c WHERE c.wallet_id = wallet.wallet_id
) AS sums
CROSS JOIN LATERAL (
    -- What the provider has of ours: of an open task what it took, of an ended one what it charged. A task that was
    -- accepted after a person ended it counts as taken until the provider has ended it too.
    SELECT coalesce(sum(CASE WHEN ended.task_id IS NULL OR work.state = 'settled' AND taken.entry_number > ended.entry_number
                             THEN taken.reserved_credits ELSE c.charged_credits END), 0) AS net
    FROM task_credits c
    LEFT JOIN acceptance taken USING (wallet_id, task_id)
    LEFT JOIN settlement ended USING (wallet_id, task_id)
    LEFT JOIN task_work work USING (wallet_id, task_id)
    WHERE c.wallet_id = wallet.wallet_id
) AS provider
CROSS JOIN LATERAL (
    SELECT coalesce(sum(reading.unattributed_credits), 0) AS unattributed
    FROM wallet_reading reading WHERE reading.wallet_id = wallet.wallet_id
) AS readings
LEFT JOIN LATERAL (
    -- The newest: one that was asked for before the last changes nothing.
    SELECT reading.current_credits, reading.entry_number FROM wallet_reading reading
    WHERE reading.wallet_id = wallet.wallet_id
    ORDER BY reading.seen_entry_number DESC, reading.entry_number DESC LIMIT 1
) AS newest ON true
CROSS JOIN LATERAL (
    SELECT count(*) AS misses FROM recorded_error error
    WHERE error.wallet_id = wallet.wallet_id AND error.code = 'insufficient_credits' AND error.act IN ('create', 'task')
) AS misses
CROSS JOIN LATERAL (VALUES
    ('reserved_credits', balance.reserved_credits), ('charged_credits', balance.charged_credits),
    ('released_credits', balance.released_credits), ('held_credits', balance.held_credits),
    ('waiting_credits', balance.waiting_credits), ('taken less returned', balance.taken_credits - balance.returned_credits),
    ('unattributed_credits', balance.unattributed_credits), ('guard_misses', balance.guard_misses),
    ('reading_credits', balance.reading_credits), ('reading_entry_number', balance.reading_entry_number)
) AS kept (name, value)
CROSS JOIN LATERAL (VALUES
    ('reserved_credits', sums.reserved), ('charged_credits', sums.charged), ('released_credits', sums.released),
    ('held_credits', sums.held), ('waiting_credits', sums.waiting), ('taken less returned', provider.net),
    ('unattributed_credits', readings.unattributed), ('guard_misses', misses.misses),
    ('reading_credits', newest.current_credits), ('reading_entry_number', newest.entry_number)
) AS counted (name, value)
WHERE counted.name = kept.name AND counted.value IS DISTINCT FROM kept.value
ORDER BY wallet.wallet_id, kept.name;
