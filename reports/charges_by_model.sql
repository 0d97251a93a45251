-- What each model was charged in a period.
-- Session settings: usage.wallet_id; usage.first_day and usage.end_day, the period, its end not in it; usage.project, one
-- project or empty for all. Credits are whole provider credits. Budgets are by project, so there is none here.
SELECT spent.model AS model,
       sum(spent.tasks)::bigint AS tasks,
       sum(spent.succeeded)::bigint AS succeeded,
       sum(spent.failed)::bigint AS failed,
       sum(spent.tasks - spent.succeeded - spent.failed)::bigint AS open,
       sum(spent.refused)::bigint AS refused,
       sum(spent.errors)::bigint AS errors,
       sum(spent.reserved_credits)::bigint AS reserved_credits,
       sum(spent.charged_credits)::bigint AS charged_credits,
       sum(spent.released_credits)::bigint AS released_credits,
       sum(spent.held_credits)::bigint AS held_credits,
       NULL::bigint AS budget_credits
FROM month_spend spent
WHERE spent.wallet_id = current_setting('usage.wallet_id')::bigint
    AND spent.day >= current_setting('usage.first_day')::date AND spent.day < current_setting('usage.end_day')::date
    AND CASE WHEN (SELECT current_setting('usage.project') = '') THEN true ELSE spent.project_id = (
        SELECT project_id FROM project
        WHERE wallet_id = current_setting('usage.wallet_id')::bigint AND slug = current_setting('usage.project')) END
GROUP BY spent.model
ORDER BY spent.model COLLATE "C"
