-- Every running total equals the entries: each day and month total, each budget's counter, each wallet's balance. The entries are read
-- once; what they come to by day, project and model is then summed up further.
WITH credits AS MATERIALIZED (
    SELECT wallet_id, day, project_id, model, count(*) AS tasks, count(*) FILTER (WHERE outcome = 'succeeded') AS succeeded,
           count(*) FILTER (WHERE outcome IN ('failed', 'rejected')) AS failed,
           sum(reserved_credits) AS reserved, sum(charged_credits) AS charged, sum(released_credits) AS released,
           sum(held_credits) AS held, sum(waiting_credits) AS waiting, sum(price_difference_credits) AS difference
    FROM task_credits GROUP BY wallet_id, day, project_id, model
), day_figures AS (
    SELECT wallet_id, day, project_id, model,
           format('tasks %s, succeeded %s, failed %s, refused %s, errors %s, reserved %s, charged %s, released %s, held %s, price difference %s',
                  sum(tasks), sum(succeeded), sum(failed), sum(refused), sum(errors), sum(reserved), sum(charged), sum(released),
                  sum(held), sum(difference)) AS figures
    FROM (
        SELECT wallet_id, day, project_id, model, tasks, succeeded, failed, 0 AS refused, 0 AS errors, reserved, charged, released,
               held, difference
        FROM credits
        UNION ALL
        SELECT wallet_id, day, project_id, model, 0, 0, 0, count(*), 0, 0, 0, 0, 0, 0
        FROM refusal GROUP BY wallet_id, day, project_id, model
        UNION ALL
        SELECT hold.wallet_id, hold.day, hold.project_id, hold.model, 0, 0, 0, 0, count(*), 0, 0, 0, 0, 0
        FROM recorded_error JOIN reservation hold USING (wallet_id, task_id)
        GROUP BY hold.wallet_id, hold.day, hold.project_id, hold.model
    ) AS entry
    GROUP BY wallet_id, day, project_id, model
), wallet_figures AS (
    SELECT wallet.wallet_id, coalesce(sum(reserved), 0) AS reserved, coalesce(sum(charged), 0) AS charged,
           coalesce(sum(released), 0) AS released, coalesce(sum(held), 0) AS held, coalesce(sum(waiting), 0) AS waiting,
           -- What the provider has of ours: of an open task what it took, of an ended one what it charged.
           coalesce(sum(held - waiting + charged), 0) AS net
    FROM wallet LEFT JOIN credits USING (wallet_id) GROUP BY wallet.wallet_id
), late AS (
    -- A task that was accepted after a person ended it counts as taken until the provider has ended it too.
    SELECT work.wallet_id, sum(taken.reserved_credits - c.charged_credits) AS net
    FROM task_work work
    JOIN acceptance taken USING (wallet_id, task_id)
    JOIN settlement ended USING (wallet_id, task_id)
    JOIN task_credits c USING (wallet_id, task_id)
    WHERE work.state = 'settled' AND taken.entry_number > ended.entry_number
    GROUP BY work.wallet_id
)
SELECT 'wallet_balance' AS rule, wallet.slug AS wallet, kept.name AS subject, coalesce(kept.value::text, 'none') AS found,
       coalesce(counted.value::text, 'none') AS expected
FROM wallet
JOIN wallet_balance balance USING (wallet_id)
JOIN wallet_figures sums USING (wallet_id)
LEFT JOIN late USING (wallet_id)
CROSS JOIN LATERAL (
    SELECT coalesce(sum(reading.unattributed_credits), 0) AS unattributed
    FROM wallet_reading reading WHERE reading.wallet_id = wallet.wallet_id
) AS readings
LEFT JOIN LATERAL (
    -- The newest: one that was asked for before the last changes nothing.
    SELECT reading.current_credits, reading.entry_number FROM wallet_reading reading
    WHERE reading.wallet_id = wallet.wallet_id
    ORDER BY reading.seen_entry_number DESC, reading.entry_number DESC LIMIT 1
) AS newest ON true
CROSS JOIN LATERAL (
    SELECT count(*) AS misses FROM recorded_error error
    WHERE error.wallet_id = wallet.wallet_id AND error.code = 'insufficient_credits' AND error.act IN ('create', 'task')
) AS misses
CROSS JOIN LATERAL (VALUES
    ('reserved_credits', balance.reserved_credits), ('charged_credits', balance.charged_credits),
    ('released_credits', balance.released_credits), ('held_credits', balance.held_credits),
    ('waiting_credits', balance.waiting_credits), ('taken less returned', balance.taken_credits - balance.returned_credits),
    ('unattributed_credits', balance.unattributed_credits), ('guard_misses', balance.guard_misses),
    ('reading_credits', balance.reading_credits), ('reading_entry_number', balance.reading_entry_number)
) AS kept (name, value)
CROSS JOIN LATERAL (VALUES
    ('reserved_credits', sums.reserved), ('charged_credits', sums.charged), ('released_credits', sums.released),
    ('held_credits', sums.held), ('waiting_credits', sums.waiting), ('taken less returned', sums.net + coalesce(late.net, 0)),
    ('unattributed_credits', readings.unattributed), ('guard_misses', misses.misses),
    ('reading_credits', newest.current_credits), ('reading_entry_number', newest.entry_number)
) AS counted (name, value)
WHERE counted.name = kept.name AND counted.value IS DISTINCT FROM kept.value
UNION ALL
SELECT 'adds_up', wallet.slug, format('%s, month from %s', project.slug, sums.month), format('reserved %s', sums.reserved),
       format('charged %s + released %s + held %s', sums.charged, sums.released, sums.held)
FROM (SELECT wallet_id, project_id, period_start('month', day) AS month, sum(reserved) AS reserved, sum(charged) AS charged,
             sum(released) AS released, sum(held) AS held
      FROM credits GROUP BY 1, 2, 3) AS sums
JOIN wallet USING (wallet_id)
JOIN project USING (wallet_id, project_id)
WHERE sums.reserved <> sums.charged + sums.released + sums.held
UNION ALL
-- A counter that is missing is made when it is needed.
SELECT 'budget_counter', wallet.slug, format('%s, %s from %s', project.slug, counter.period, counter.starts_on),
       format('held %s, charged %s', counter.held_credits, counter.charged_credits),
       format('held %s, charged %s', coalesce(counted.held, 0), coalesce(counted.charged, 0))
FROM budget_counter counter
JOIN wallet USING (wallet_id)
JOIN project USING (wallet_id, project_id)
LEFT JOIN (SELECT wallet_id, project_id, period.name AS period, period_start(period.name, day) AS starts_on,
                  sum(held) AS held, sum(charged) AS charged
           FROM credits, (VALUES ('day'), ('month'), ('total')) AS period (name) GROUP BY 1, 2, 3, 4) AS counted
    USING (wallet_id, project_id, period, starts_on)
WHERE coalesce(counted.held, 0) <> counter.held_credits OR coalesce(counted.charged, 0) <> counter.charged_credits
UNION ALL
SELECT 'day_total', wallet.slug, format('%s, %s, %s', day, project.slug, model), coalesce(kept.figures, 'none'),
       coalesce(counted.figures, 'none')
FROM (
    SELECT wallet_id, day, project_id, model,
           format('tasks %s, succeeded %s, failed %s, refused %s, errors %s, reserved %s, charged %s, released %s, held %s, price difference %s',
                  tasks, succeeded, failed, refused, errors, reserved_credits, charged_credits, released_credits, held_credits,
                  price_difference_credits) AS figures
    FROM day_total
) AS kept
FULL JOIN day_figures AS counted USING (wallet_id, day, project_id, model)
JOIN wallet USING (wallet_id)
JOIN project USING (wallet_id, project_id)
WHERE kept.figures IS DISTINCT FROM counted.figures
UNION ALL
SELECT 'month_total', wallet.slug, format('%s, %s, %s', month, project.slug, model), coalesce(kept.figures, 'none'),
       coalesce(counted.figures, 'none')
FROM (
    SELECT wallet_id, month, project_id, model,
           format('tasks %s, succeeded %s, failed %s, refused %s, errors %s, reserved %s, charged %s, released %s, held %s, price difference %s',
                  tasks, succeeded, failed, refused, errors, reserved_credits, charged_credits, released_credits, held_credits,
                  price_difference_credits) AS figures
    FROM month_total
) AS kept
FULL JOIN (
    SELECT wallet_id, period_start('month', day) AS month, project_id, model,
           format('tasks %s, succeeded %s, failed %s, refused %s, errors %s, reserved %s, charged %s, released %s, held %s, price difference %s',
                  sum(tasks), sum(succeeded), sum(failed), sum(refused), sum(errors), sum(reserved_credits), sum(charged_credits),
                  sum(released_credits), sum(held_credits), sum(price_difference_credits)) AS figures
    FROM day_total WHERE sealed GROUP BY 1, 2, 3, 4
) AS counted USING (wallet_id, month, project_id, model)
JOIN wallet USING (wallet_id)
JOIN project USING (wallet_id, project_id)
WHERE kept.figures IS DISTINCT FROM counted.figures
ORDER BY rule, wallet, subject;
