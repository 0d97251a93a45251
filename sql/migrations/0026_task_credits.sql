-- 0026_task_credits.sql: the same figures, with the corrections summed up once instead of once for each task.
CREATE OR REPLACE VIEW task_credits AS
SELECT hold.wallet_id, hold.task_id, hold.project_id, hold.model, hold.day,
       ended.outcome,
       coalesce(ended.reserved_credits + coalesce(later.reserved, 0), taken.reserved_credits, hold.amount_credits) AS reserved_credits,
       coalesce(ended.charged_credits + coalesce(later.charged, 0), 0) AS charged_credits,
       coalesce(ended.released_credits + coalesce(later.released, 0), 0) AS released_credits,
       CASE WHEN ended.task_id IS NULL THEN coalesce(taken.reserved_credits, hold.amount_credits) ELSE 0 END AS held_credits,
       CASE WHEN ended.task_id IS NULL AND taken.task_id IS NULL THEN hold.amount_credits ELSE 0 END AS waiting_credits,
       CASE WHEN ended.outcome = 'succeeded' OR ended.charged_credits + coalesce(later.charged, 0) <> 0
            THEN ended.charged_credits + coalesce(later.charged, 0) - hold.amount_credits ELSE 0 END AS price_difference_credits
FROM reservation hold
LEFT JOIN acceptance taken USING (wallet_id, task_id)
LEFT JOIN settlement ended USING (wallet_id, task_id)
LEFT JOIN (
    SELECT wallet_id, task_id, sum(reserved_credits)::bigint AS reserved, sum(charged_credits)::bigint AS charged,
           sum(released_credits)::bigint AS released
    FROM correction GROUP BY wallet_id, task_id
) AS later USING (wallet_id, task_id);
