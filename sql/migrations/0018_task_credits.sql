-- 0018_task_credits.sql: what each task's entries add up to. Totals are proved against this, and lists show it.
CREATE VIEW task_credits AS
SELECT hold.wallet_id, hold.task_id, hold.project_id, hold.model, hold.day,
       ended.outcome,
       coalesce(ended.reserved_credits + later.reserved, taken.reserved_credits, hold.amount_credits) AS reserved_credits,
       coalesce(ended.charged_credits + later.charged, 0) AS charged_credits,
       coalesce(ended.released_credits + later.released, 0) AS released_credits,
       CASE WHEN ended.task_id IS NULL THEN coalesce(taken.reserved_credits, hold.amount_credits) ELSE 0 END AS held_credits,
       CASE WHEN ended.task_id IS NULL AND taken.task_id IS NULL THEN hold.amount_credits ELSE 0 END AS waiting_credits,
       CASE WHEN ended.outcome = 'succeeded' OR ended.charged_credits + later.charged <> 0
            THEN ended.charged_credits + later.charged - hold.amount_credits ELSE 0 END AS price_difference_credits
FROM reservation hold
LEFT JOIN acceptance taken USING (wallet_id, task_id)
LEFT JOIN settlement ended USING (wallet_id, task_id)
LEFT JOIN LATERAL (
    SELECT coalesce(sum(c.reserved_credits), 0)::bigint AS reserved, coalesce(sum(c.charged_credits), 0)::bigint AS charged,
           coalesce(sum(c.released_credits), 0)::bigint AS released
    FROM correction c WHERE c.wallet_id = ended.wallet_id AND c.task_id = ended.task_id
) AS later ON true;
COMMENT ON VIEW task_credits IS 'What the entries of each task add up to, in whole credits: reserved = charged + released + held.';

GRANT SELECT ON task_credits TO usage_service, usage_report;
