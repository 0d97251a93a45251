-- The tasks whose credits were held in a period, oldest first, each with what its entries add up to.
-- Session settings as in charges_by_project.sql, and usage.first_task and usage.end_task (set_tasks.sql): ids between which the
-- period's tasks lie. Credits are whole provider credits; in each row reserved = charged + released + held.
SELECT hold.task_id,
       -- All slugs at once: no statistics can have the projects read for each task.
       (SELECT jsonb_object_agg(project_id, slug) FROM project WHERE wallet_id = current_setting('usage.wallet_id')::bigint)
           ->> hold.project_id::text AS project,
       hold.model, hold.client_request_id,
       to_char(hold.submitted_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS submitted_at, hold.day,
       coalesce(ended.outcome, work.state, 'queued') AS state,
       coalesce(ended.reserved_credits + coalesce(later.reserved_credits, 0), taken.reserved_credits, hold.amount_credits)
           AS reserved_credits,
       coalesce(ended.charged_credits + coalesce(later.charged_credits, 0), 0) AS charged_credits,
       coalesce(ended.released_credits + coalesce(later.released_credits, 0), 0) AS released_credits,
       CASE WHEN ended.task_id IS NULL THEN coalesce(taken.reserved_credits, hold.amount_credits) ELSE 0 END AS held_credits,
       hold.amount_credits AS price_credits,
       ended.error_code, taken.provider_task_id,
       to_char(taken.accepted_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS accepted_at,
       to_char(ended.settled_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS settled_at,
       ended.resolved_by
FROM (
    SELECT task_id, project_id, model, client_request_id, reserved_at AS submitted_at, day, amount_credits
    FROM reservation
    WHERE wallet_id = current_setting('usage.wallet_id')::bigint
        AND task_id >= current_setting('usage.first_task')::uuid AND task_id < current_setting('usage.end_task')::uuid
        AND day >= current_setting('usage.first_day')::date AND day < current_setting('usage.end_day')::date
) AS hold
-- Each is looked for between the same ids: so all are read once, in the order of their keys, and joined as they come.
LEFT JOIN (
    SELECT task_id, reserved_credits, provider_task_id, accepted_at
    FROM acceptance
    WHERE wallet_id = current_setting('usage.wallet_id')::bigint
        AND task_id >= current_setting('usage.first_task')::uuid AND task_id < current_setting('usage.end_task')::uuid
) AS taken USING (task_id)
LEFT JOIN (
    SELECT task_id, outcome, reserved_credits, charged_credits, released_credits, error_code, settled_at, resolved_by
    FROM settlement
    WHERE wallet_id = current_setting('usage.wallet_id')::bigint
        AND task_id >= current_setting('usage.first_task')::uuid AND task_id < current_setting('usage.end_task')::uuid
) AS ended USING (task_id)
LEFT JOIN (
    SELECT task_id, sum(reserved_credits)::bigint AS reserved_credits, sum(charged_credits)::bigint AS charged_credits,
           sum(released_credits)::bigint AS released_credits
    FROM correction
    WHERE wallet_id = current_setting('usage.wallet_id')::bigint
        AND task_id >= current_setting('usage.first_task')::uuid AND task_id < current_setting('usage.end_task')::uuid
    GROUP BY task_id
) AS later USING (task_id)
LEFT JOIN (
    SELECT task_id, state
    FROM task_work
    WHERE wallet_id = current_setting('usage.wallet_id')::bigint
        AND task_id >= current_setting('usage.first_task')::uuid AND task_id < current_setting('usage.end_task')::uuid
) AS work USING (task_id)
WHERE (SELECT current_setting('usage.project_id')) IN ('', hold.project_id::text)
ORDER BY hold.task_id
