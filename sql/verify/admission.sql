-- No admission broke a limit: the entries are replayed in order, and each reservation is held against the limits in force
-- at that entry. (A provider that takes more than was held may exceed a limit; that is no admission.)
WITH step AS (
    SELECT wallet_id, task_id, project_id, day, entry_number, amount_credits AS used, true AS is_admission FROM reservation
    UNION ALL
    SELECT taken.wallet_id, taken.task_id, hold.project_id, hold.day, taken.entry_number, taken.price_difference_credits, false
    FROM acceptance taken
    JOIN reservation hold USING (wallet_id, task_id)
    LEFT JOIN settlement ended USING (wallet_id, task_id)
    WHERE taken.price_difference_credits <> 0 AND (ended.task_id IS NULL OR ended.entry_number > taken.entry_number)
    UNION ALL
    SELECT ended.wallet_id, ended.task_id, hold.project_id, hold.day, ended.entry_number,
           ended.charged_credits - CASE WHEN taken.entry_number < ended.entry_number THEN taken.reserved_credits
                                        ELSE hold.amount_credits END, false
    FROM settlement ended
    JOIN reservation hold USING (wallet_id, task_id)
    LEFT JOIN acceptance taken USING (wallet_id, task_id)
    UNION ALL
    SELECT later.wallet_id, later.task_id, hold.project_id, hold.day, later.entry_number, later.charged_credits, false
    FROM correction later JOIN reservation hold USING (wallet_id, task_id)
), replayed AS (
    SELECT step.*, period.name AS period,
           sum(step.used) OVER (PARTITION BY step.wallet_id, step.project_id, period.name, period_start(period.name, step.day)
                                ORDER BY step.entry_number) AS used_after
    FROM step, (VALUES ('day'), ('month'), ('total')) AS period (name)
), ruled AS (
    -- Each limit holds from its entry to the next one of its project and period.
    SELECT wallet_id, project_id, period, limit_credits, entry_number AS first_entry,
           lead(entry_number, 1, 9223372036854775807) OVER (PARTITION BY wallet_id, project_id, period ORDER BY entry_number)
               AS next_entry
    FROM budget_change
)
SELECT wallet.slug AS wallet, format('%s, %s of %s', replayed.task_id, replayed.period, project.slug) AS subject,
       format('%s credits used', replayed.used_after) AS found, format('at most %s', ruled.limit_credits) AS expected
FROM replayed
JOIN ruled USING (wallet_id, project_id, period)
JOIN wallet USING (wallet_id)
JOIN project USING (wallet_id, project_id)
WHERE replayed.is_admission AND replayed.entry_number > ruled.first_entry AND replayed.entry_number < ruled.next_entry
    AND replayed.used_after > ruled.limit_credits
ORDER BY wallet.wallet_id, replayed.entry_number, replayed.period;
