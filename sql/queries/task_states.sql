-- The states of tasks $2 of wallet $1: how far each is, and what it was charged once it is settled.
SELECT asked.task_id, coalesce(ended.outcome, work.state) AS state, ended.charged_credits, work.due_at
FROM unnest($2::uuid[]) AS asked (task_id)
LEFT JOIN settlement ended ON ended.wallet_id = $1::bigint AND ended.task_id = asked.task_id
LEFT JOIN task_work work ON work.wallet_id = $1::bigint AND work.task_id = asked.task_id;
