-- What left the wallet in a period by no task of ours (below zero: came in), in whole credits, and the last reading in it.
-- Session settings as in charges_by_project.sql.
SELECT (SELECT coalesce(sum_whole(unattributed_credits), 0)
        FROM wallet_reading
        WHERE wallet_id = current_setting('usage.wallet_id')::bigint
            AND day >= current_setting('usage.first_day')::date AND day < current_setting('usage.end_day')::date
            AND unattributed_credits <> 0) AS unattributed_credits,
       last.current_credits AS reading_credits, last.read_at
FROM (VALUES (true)) AS one
LEFT JOIN (
    SELECT current_credits, read_at
    FROM wallet_reading
    WHERE wallet_id = current_setting('usage.wallet_id')::bigint
        AND day >= current_setting('usage.first_day')::date AND day < current_setting('usage.end_day')::date
    ORDER BY day DESC, entry_number DESC
    LIMIT 1
) AS last ON true
