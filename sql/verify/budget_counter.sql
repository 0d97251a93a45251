-- Each budget's counter equals the entries of its project and period. One that is missing is made when it is needed.
SELECT wallet.slug AS wallet, format('%s, %s from %s', project.slug, counter.period, counter.starts_on) AS subject,
       format('held %s, charged %s', counter.held_credits, counter.charged_credits) AS found,
       format('held %s, charged %s', counted.held, counted.charged) AS expected
FROM budget_counter counter
JOIN wallet USING (wallet_id)
JOIN project USING (wallet_id, project_id)
LEFT JOIN LATERAL (
    SELECT coalesce(sum(c.held_credits), 0) AS held, coalesce(sum(c.charged_credits), 0) AS charged
    FROM task_credits c
    WHERE c.wallet_id = counter.wallet_id AND c.project_id = counter.project_id
        AND c.day >= counter.starts_on AND c.day < coalesce(period_end(counter.period, counter.starts_on), 'infinity')
) AS counted ON true
WHERE counted.held <> counter.held_credits OR counted.charged <> counter.charged_credits
ORDER BY wallet.wallet_id, project.slug COLLATE "C", counter.period, counter.starts_on;
