-- The states of tasks $2 of wallet $1, in the order asked for: how far each is, and what it is charged once it is settled.
SELECT asked.task_id, coalesce(ended.outcome, work.state) AS state,
       ended.charged_credits + coalesce(later.charged_credits, 0) AS charged_credits, work.due_at
FROM unnest($2::uuid[]) WITH ORDINALITY AS asked (task_id, place)
LEFT JOIN settlement ended ON ended.wallet_id = $1::bigint AND ended.task_id = asked.task_id
LEFT JOIN LATERAL (
    SELECT sum(correction.charged_credits)::bigint AS charged_credits
    FROM correction WHERE correction.wallet_id = $1::bigint AND correction.task_id = ended.task_id
) AS later ON true
LEFT JOIN task_work work ON work.wallet_id = $1::bigint AND work.task_id = asked.task_id
ORDER BY asked.place;
