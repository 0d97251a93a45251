-- What each model was charged in a period.
-- Session settings: usage.wallet_id; usage.first_day and usage.end_day, the period, its end not in it; usage.project_id,
-- one project or empty for all. Credits are whole provider credits. Budgets are by project, so there is none here.
SELECT spent.model AS model,
       sum_whole(spent.tasks) AS tasks,
       sum_whole(spent.succeeded) AS succeeded,
       sum_whole(spent.failed) AS failed,
       sum_whole(spent.tasks - spent.succeeded - spent.failed) AS open,
       sum_whole(spent.refused) AS refused,
       sum_whole(spent.errors) AS errors,
       sum_whole(spent.reserved_credits) AS reserved_credits,
       sum_whole(spent.charged_credits) AS charged_credits,
       sum_whole(spent.released_credits) AS released_credits,
       sum_whole(spent.held_credits) AS held_credits,
       NULL::bigint AS budget_credits
FROM month_spend spent
WHERE spent.wallet_id = current_setting('usage.wallet_id')::bigint
    AND spent.day >= current_setting('usage.first_day')::date AND spent.day < current_setting('usage.end_day')::date
    AND CASE WHEN (SELECT current_setting('usage.project_id') = '') THEN true
             ELSE spent.project_id = (SELECT current_setting('usage.project_id')::bigint) END
GROUP BY spent.model
ORDER BY spent.model COLLATE "C"
