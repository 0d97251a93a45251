-- The newest $5 tasks and refusals of wallet $1: of project $2, in state $3, before task $4 (each null: any).
SELECT listed.task_id, project.slug AS project, listed.model, listed.state, listed.at, listed.reserved_credits,
       listed.charged_credits, listed.provider_task_id, listed.client_request_id
FROM (
    SELECT task.task_id, task.project_id, task.model, coalesce(credits.outcome, work.state) AS state, task.submitted_at AS at,
           credits.reserved_credits, credits.charged_credits, taken.provider_task_id, task.client_request_id
    FROM task
    JOIN task_credits credits USING (wallet_id, task_id)
    LEFT JOIN acceptance taken USING (wallet_id, task_id)
    LEFT JOIN task_work work USING (wallet_id, task_id)
    WHERE task.wallet_id = $1::bigint
    UNION ALL
    SELECT task_id, project_id, model, 'refused', refused_at, 0, 0, NULL, client_request_id
    FROM refusal WHERE wallet_id = $1::bigint
) AS listed
JOIN project ON project.wallet_id = $1::bigint AND project.project_id = listed.project_id
WHERE ($2::text IS NULL OR project.slug = $2::text) AND ($3::text IS NULL OR listed.state = $3::text)
    AND ($4::uuid IS NULL OR listed.task_id < $4::uuid)
ORDER BY listed.task_id DESC
LIMIT $5::bigint;
