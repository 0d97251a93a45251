-- The budgets of wallet $1, of project $2 or (null) of all, and what is used of each in the period of time $3.
SELECT project.slug AS project, budget.period, budget.limit_credits,
       coalesce(counter.charged_credits, spent.charged_credits, 0) AS charged_credits,
       coalesce(counter.held_credits, spent.held_credits, 0) AS held_credits,
       period_end(budget.period, today.starts_on) AS resets_on
FROM project
JOIN wallet USING (wallet_id)
JOIN budget USING (wallet_id, project_id)
CROSS JOIN LATERAL period_start(budget.period, ($3::timestamptz AT TIME ZONE wallet.time_zone)::date) AS today (starts_on)
-- Each by its key: there are counters of every day that ever was, and few are asked for.
LEFT JOIN LATERAL (
    SELECT one.wallet_id, one.charged_credits, one.held_credits
    FROM budget_counter one
    WHERE one.wallet_id = project.wallet_id AND one.project_id = project.project_id AND one.period = budget.period
        AND one.starts_on = today.starts_on
    LIMIT 1
) AS counter ON true
-- Before the first request of a period there is no counter.
LEFT JOIN LATERAL (
    SELECT sum(charged_credits)::bigint AS charged_credits, sum(held_credits)::bigint AS held_credits
    FROM day_total total
    WHERE counter.wallet_id IS NULL AND total.wallet_id = project.wallet_id AND total.project_id = project.project_id
        AND total.day >= today.starts_on AND total.day < coalesce(period_end(budget.period, today.starts_on), 'infinity')
) AS spent ON true
WHERE project.wallet_id = $1::bigint AND ($2::text IS NULL OR project.slug = $2::text)
ORDER BY project.slug COLLATE "C", array_position(ARRAY['day', 'month', 'total'], budget.period);
