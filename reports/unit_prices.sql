-- The base price of each model used in a period, as it stood at the period's end, and what the charges differ from their
-- prices. Session settings as in charges_by_project.sql. Credits are whole provider credits.
SELECT used.model, price.amount_credits AS unit_credits, used.price_difference_credits
FROM (
    SELECT model, sum_whole(price_difference_credits) AS price_difference_credits
    FROM month_spend
    WHERE wallet_id = current_setting('usage.wallet_id')::bigint
        AND day >= current_setting('usage.first_day')::date AND day < current_setting('usage.end_day')::date
        AND CASE WHEN (SELECT current_setting('usage.project_id') = '') THEN true
                 ELSE project_id = (SELECT current_setting('usage.project_id')::bigint) END
    GROUP BY model
) AS used
LEFT JOIN LATERAL (
    SELECT price.amount_credits
    FROM price
    WHERE price.wallet_id = current_setting('usage.wallet_id')::bigint AND price.model = used.model AND price.parameter IS NULL
        AND price.effective_from < (SELECT current_setting('usage.end_at')::timestamptz)
    ORDER BY price.effective_from DESC
    LIMIT 1
) AS price ON true
ORDER BY used.model COLLATE "C"
