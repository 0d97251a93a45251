-- All that is known of task $2 of wallet $1: its state, credits, the provider's words and the request.
SELECT task.task_id, project.slug AS project, task.model, task.client_request_id, task.submitted_at,
       coalesce(ended.outcome, work.state) AS state, hold.amount_credits AS held_credits, hold.day,
       coalesce(ended.reserved_credits, taken.reserved_credits, hold.amount_credits) AS reserved_credits,
       ended.charged_credits, ended.released_credits, taken.provider_task_id, taken.accepted_at, ended.settled_at,
       ended.evidence, ended.error_code, ended.resolved_by, ended.reason, ended.result_urls, work.due_at, work.attempts,
       work.leased, request.body
FROM task
JOIN project USING (wallet_id, project_id)
JOIN reservation hold USING (wallet_id, task_id)
LEFT JOIN task_request request USING (wallet_id, task_id)
LEFT JOIN acceptance taken USING (wallet_id, task_id)
LEFT JOIN settlement ended USING (wallet_id, task_id)
LEFT JOIN task_work work USING (wallet_id, task_id)
WHERE task.wallet_id = $1::bigint AND task.task_id = $2::uuid;
