-- What each project was charged in a period, and the month's budget it had at its end.
-- Session settings: usage.wallet_id; usage.first_day and usage.end_day, the period, its end not in it; usage.project, one
-- project or empty for all. Credits are whole provider credits.
SELECT project.slug AS project,
       coalesce(sum(spent.tasks), 0)::bigint AS tasks,
       coalesce(sum(spent.succeeded), 0)::bigint AS succeeded,
       coalesce(sum(spent.failed), 0)::bigint AS failed,
       coalesce(sum(spent.tasks - spent.succeeded - spent.failed), 0)::bigint AS open,
       coalesce(sum(spent.refused), 0)::bigint AS refused,
       coalesce(sum(spent.errors), 0)::bigint AS errors,
       coalesce(sum(spent.reserved_credits), 0)::bigint AS reserved_credits,
       coalesce(sum(spent.charged_credits), 0)::bigint AS charged_credits,
       coalesce(sum(spent.released_credits), 0)::bigint AS released_credits,
       coalesce(sum(spent.held_credits), 0)::bigint AS held_credits,
       budget.limit_credits AS budget_credits
FROM project
JOIN wallet USING (wallet_id)
LEFT JOIN day_total spent ON spent.wallet_id = project.wallet_id AND spent.project_id = project.project_id
    AND spent.day >= current_setting('usage.first_day')::date AND spent.day < current_setting('usage.end_day')::date
LEFT JOIN LATERAL (
    SELECT change.limit_credits
    FROM budget_change change
    WHERE change.wallet_id = project.wallet_id AND change.project_id = project.project_id AND change.period = 'month'
        AND (change.changed_at AT TIME ZONE wallet.time_zone)::date < current_setting('usage.end_day')::date
    ORDER BY change.entry_number DESC
    LIMIT 1
) AS budget ON true
WHERE project.wallet_id = current_setting('usage.wallet_id')::bigint
    AND current_setting('usage.project') IN ('', project.slug)
GROUP BY project.slug, budget.limit_credits
HAVING count(spent.day) > 0 OR budget.limit_credits IS NOT NULL
ORDER BY project.slug COLLATE "C"
