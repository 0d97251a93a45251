-- The base price of each model used in a period, as it stood at the period's end, and what the charges differ from their
-- prices. Session settings as in charges_by_project.sql. Credits are whole provider credits.
SELECT used.model, price.amount_credits AS unit_credits, used.price_difference_credits
FROM (
    SELECT spent.model, sum(spent.price_difference_credits)::bigint AS price_difference_credits
    FROM day_total spent
    JOIN project USING (wallet_id, project_id)
    WHERE spent.wallet_id = current_setting('usage.wallet_id')::bigint
        AND spent.day >= current_setting('usage.first_day')::date AND spent.day < current_setting('usage.end_day')::date
        AND current_setting('usage.project') IN ('', project.slug)
    GROUP BY spent.model
) AS used
LEFT JOIN LATERAL (
    SELECT price.amount_credits
    FROM price JOIN wallet USING (wallet_id)
    WHERE price.wallet_id = current_setting('usage.wallet_id')::bigint AND price.model = used.model AND price.parameter IS NULL
        AND (price.effective_from AT TIME ZONE wallet.time_zone)::date < current_setting('usage.end_day')::date
    ORDER BY price.effective_from DESC
    LIMIT 1
) AS price ON true
ORDER BY used.model COLLATE "C"
