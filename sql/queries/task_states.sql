-- The states of tasks $2 of wallet $1, in the order asked for: how far each is, and what it is charged once it is settled.
SELECT asked.task_id, coalesce(credits.outcome, work.state) AS state,
       CASE WHEN credits.outcome IS NOT NULL THEN credits.charged_credits END AS charged_credits, work.due_at
FROM unnest($2::uuid[]) WITH ORDINALITY AS asked (task_id, place)
LEFT JOIN task_credits credits ON credits.wallet_id = $1::bigint AND credits.task_id = asked.task_id
LEFT JOIN task_work work ON work.wallet_id = $1::bigint AND work.task_id = asked.task_id
ORDER BY asked.place;
