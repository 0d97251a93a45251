-- What each project was charged in a period, and the month's budget it had at its end.
-- Session settings: usage.wallet_id; usage.first_day and usage.end_day, the period, its end not in it, and usage.end_at, the moment
-- of its end; usage.project_id, one project or empty for all. Credits are whole provider credits.
--
-- A setting in a SELECT of its own is read once, not for each row. Whether a project is named is asked in a CASE: of an OR the
-- planner believes that it leaves few rows, and joins them one by one.
SELECT project.slug AS project,
       coalesce(spent.tasks, 0) AS tasks,
       coalesce(spent.succeeded, 0) AS succeeded,
       coalesce(spent.failed, 0) AS failed,
       coalesce(spent.tasks - spent.succeeded - spent.failed, 0) AS open,
       coalesce(spent.refused, 0) AS refused,
       coalesce(spent.errors, 0) AS errors,
       coalesce(spent.reserved_credits, 0) AS reserved_credits,
       coalesce(spent.charged_credits, 0) AS charged_credits,
       coalesce(spent.released_credits, 0) AS released_credits,
       coalesce(spent.held_credits, 0) AS held_credits,
       budget.limit_credits AS budget_credits
FROM project
LEFT JOIN (
    -- Summed up before anything is joined to it.
    SELECT project_id, sum_whole(tasks) AS tasks, sum_whole(succeeded) AS succeeded, sum_whole(failed) AS failed,
           sum_whole(refused) AS refused, sum_whole(errors) AS errors, sum_whole(reserved_credits) AS reserved_credits,
           sum_whole(charged_credits) AS charged_credits, sum_whole(released_credits) AS released_credits,
           sum_whole(held_credits) AS held_credits
    FROM month_spend
    WHERE wallet_id = current_setting('usage.wallet_id')::bigint
        AND day >= current_setting('usage.first_day')::date AND day < current_setting('usage.end_day')::date
        AND CASE WHEN (SELECT current_setting('usage.project_id') = '') THEN true
                 ELSE project_id = (SELECT current_setting('usage.project_id')::bigint) END
    GROUP BY project_id
) AS spent USING (project_id)
LEFT JOIN LATERAL (
    SELECT change.limit_credits
    FROM budget_change change
    WHERE change.wallet_id = project.wallet_id AND change.project_id = project.project_id AND change.period = 'month'
        AND change.changed_at < (SELECT current_setting('usage.end_at')::timestamptz)
    ORDER BY change.entry_number DESC
    LIMIT 1
) AS budget ON true
WHERE project.wallet_id = (SELECT current_setting('usage.wallet_id')::bigint)
    AND CASE WHEN (SELECT current_setting('usage.project_id') = '') THEN true
             ELSE project.project_id = (SELECT current_setting('usage.project_id')::bigint) END
    AND (spent.project_id IS NOT NULL OR budget.limit_credits IS NOT NULL)
ORDER BY project.slug COLLATE "C"
