-- All that is known of task $2 of wallet $1: its state, credits and request.
SELECT task.task_id, project.slug AS project, task.model, task.client_request_id, task.submitted_at,
       -- What no worker has taken yet has no row in the queue, and is due.
       coalesce(credits.outcome, work.state, 'queued') AS state, credits.reserved_credits, credits.charged_credits,
       taken.provider_task_id, ended.result_urls,
       CASE WHEN ended.task_id IS NOT NULL THEN NULL WHEN work.task_id IS NULL THEN task.submitted_at ELSE work.due_at END AS due_at,
       work.attempts, request.body
FROM task
JOIN project USING (wallet_id, project_id)
JOIN task_credits credits USING (wallet_id, task_id)
LEFT JOIN acceptance taken USING (wallet_id, task_id)
LEFT JOIN settlement ended USING (wallet_id, task_id)
LEFT JOIN task_work work USING (wallet_id, task_id)
LEFT JOIN client_request request ON request.wallet_id = task.wallet_id AND request.client_request_id = task.client_request_id
WHERE task.wallet_id = $1::bigint AND task.task_id = $2::uuid;
