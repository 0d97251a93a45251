-- The states of tasks $2 of wallet $1, in the order asked for: how far each is, and what it is charged once it is settled.
-- OFFSET 0 keeps the look into the queue one by key for each task (docs/decisions/0010).
-- What no worker has taken yet has no row in the queue.
SELECT asked.task_id,
       coalesce(ended.outcome, work.state, (
           SELECT 'queued' FROM reservation WHERE reservation.wallet_id = $1::bigint AND reservation.task_id = asked.task_id)) AS state,
       ended.charged_credits + coalesce(later.charged_credits, 0) AS charged_credits, work.due_at
FROM unnest($2::uuid[]) WITH ORDINALITY AS asked (task_id, place)
LEFT JOIN settlement ended ON ended.wallet_id = $1::bigint AND ended.task_id = asked.task_id
LEFT JOIN LATERAL (
    SELECT sum(correction.charged_credits)::bigint AS charged_credits
    FROM correction WHERE correction.wallet_id = $1::bigint AND correction.task_id = ended.task_id
) AS later ON true
LEFT JOIN LATERAL (
    SELECT queued.state, queued.due_at FROM task_work queued
    WHERE queued.wallet_id = $1::bigint AND queued.task_id = asked.task_id OFFSET 0
) AS work ON true
ORDER BY asked.place;
