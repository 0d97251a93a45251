-- No admission broke a limit: the entries are replayed in order, and each reservation is held against the limits in force
-- at that entry. (A provider that takes more than was held may exceed a limit; that is no admission.) Entries that change
-- nothing of what is used, as most settlements, are left out.
WITH odd AS (
    SELECT * FROM acceptance WHERE price_difference_credits <> 0
), step AS (
    SELECT wallet_id, task_id, project_id, day, entry_number, amount_credits AS used, true AS is_admission FROM reservation
    UNION ALL
    SELECT odd.wallet_id, odd.task_id, hold.project_id, hold.day, odd.entry_number, odd.price_difference_credits, false
    FROM odd
    JOIN reservation hold USING (wallet_id, task_id)
    LEFT JOIN settlement ended USING (wallet_id, task_id)
    WHERE ended.task_id IS NULL OR ended.entry_number > odd.entry_number
    UNION ALL
    SELECT ended.wallet_id, ended.task_id, hold.project_id, hold.day, ended.entry_number,
           ended.charged_credits - CASE WHEN odd.entry_number < ended.entry_number THEN odd.reserved_credits
                                        ELSE hold.amount_credits END, false
    FROM settlement ended
    JOIN reservation hold USING (wallet_id, task_id)
    LEFT JOIN odd USING (wallet_id, task_id)
    WHERE ended.released_credits > 0 OR ended.price_difference_credits <> 0 OR odd.task_id IS NOT NULL
    UNION ALL
    SELECT later.wallet_id, later.task_id, hold.project_id, hold.day, later.entry_number, later.charged_credits, false
    FROM correction later JOIN reservation hold USING (wallet_id, task_id)
), replayed AS (
    SELECT step.*, limited.period,
           sum(step.used) OVER (PARTITION BY step.wallet_id, step.project_id, limited.period, period_start(limited.period, step.day)
                                ORDER BY step.entry_number) AS used_after
    FROM step
    JOIN (SELECT DISTINCT wallet_id, project_id, period FROM budget_change) AS limited USING (wallet_id, project_id)
), ruled AS (
    -- Each limit holds from its entry to the next one of its project and period.
    SELECT wallet_id, project_id, period, limit_credits, entry_number AS first_entry,
           lead(entry_number, 1, 9223372036854775807) OVER (PARTITION BY wallet_id, project_id, period ORDER BY entry_number)
               AS next_entry
    FROM budget_change
)
SELECT 'admission' AS rule, wallet.slug AS wallet, format('%s, %s of %s', replayed.task_id, replayed.period, project.slug) AS subject,
       format('%s credits used', replayed.used_after) AS found, format('at most %s', ruled.limit_credits) AS expected
FROM replayed
JOIN ruled USING (wallet_id, project_id, period)
JOIN wallet USING (wallet_id)
JOIN project USING (wallet_id, project_id)
WHERE replayed.is_admission AND replayed.entry_number > ruled.first_entry AND replayed.entry_number < ruled.next_entry
    AND replayed.used_after > ruled.limit_credits
ORDER BY wallet.wallet_id, replayed.entry_number, replayed.period;
