-- Each budget in force is the last that was set, and none that was set is missing.
SELECT 'budget' AS rule, wallet.slug AS wallet, format('%s, %s', project.slug, period) AS subject,
       coalesce(budget.limit_credits::text, 'none') AS found, coalesce(last_set.limit_credits::text, 'none') AS expected
FROM budget
FULL JOIN (
    SELECT DISTINCT ON (wallet_id, project_id, period) wallet_id, project_id, period, limit_credits
    FROM budget_change ORDER BY wallet_id, project_id, period, entry_number DESC
) AS last_set USING (wallet_id, project_id, period)
JOIN wallet USING (wallet_id)
JOIN project USING (wallet_id, project_id)
WHERE budget.limit_credits IS DISTINCT FROM last_set.limit_credits
ORDER BY wallet.wallet_id, project.slug COLLATE "C", period;
