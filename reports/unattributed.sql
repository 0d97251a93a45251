-- What left the wallet in a period by no task of ours (below zero: came in), in whole credits, and the last reading in it.
-- Session settings as in charges_by_project.sql.
SELECT coalesce(sum(unattributed_credits), 0)::bigint AS unattributed_credits,
       (array_agg(current_credits ORDER BY entry_number DESC))[1] AS reading_credits,
       (array_agg(read_at ORDER BY entry_number DESC))[1] AS read_at
FROM wallet_reading
WHERE wallet_id = current_setting('usage.wallet_id')::bigint
    AND day >= current_setting('usage.first_day')::date AND day < current_setting('usage.end_day')::date
