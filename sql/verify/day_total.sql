-- Each day total equals the entries of its day, project and model, and none is missing.
SELECT wallet.slug AS wallet, format('%s, %s, %s', day, project.slug, model) AS subject,
       coalesce(kept.figures, 'none') AS found, coalesce(counted.figures, 'none') AS expected
FROM (
    SELECT wallet_id, day, project_id, model,
           format('tasks %s, succeeded %s, failed %s, refused %s, errors %s, reserved %s, charged %s, released %s, held %s, price difference %s',
                  tasks, succeeded, failed, refused, errors, reserved_credits, charged_credits, released_credits, held_credits,
                  price_difference_credits) AS figures
    FROM day_total
) AS kept
FULL JOIN (
    SELECT wallet_id, day, project_id, model,
           format('tasks %s, succeeded %s, failed %s, refused %s, errors %s, reserved %s, charged %s, released %s, held %s, price difference %s',
                  sum(tasks), sum(succeeded), sum(failed), sum(refused), sum(errors), sum(reserved), sum(charged), sum(released),
                  sum(held), sum(difference)) AS figures
    FROM (
        SELECT wallet_id, day, project_id, model, count(*) AS tasks, count(*) FILTER (WHERE outcome = 'succeeded') AS succeeded,
               count(*) FILTER (WHERE outcome IN ('failed', 'rejected')) AS failed, 0 AS refused, 0 AS errors,
               sum(reserved_credits) AS reserved, sum(charged_credits) AS charged, sum(released_credits) AS released,
               sum(held_credits) AS held, sum(price_difference_credits) AS difference
        FROM task_credits GROUP BY wallet_id, day, project_id, model
        UNION ALL
        SELECT wallet_id, day, project_id, model, 0, 0, 0, count(*), 0, 0, 0, 0, 0, 0
        FROM refusal GROUP BY wallet_id, day, project_id, model
        UNION ALL
        SELECT hold.wallet_id, hold.day, hold.project_id, hold.model, 0, 0, 0, 0, count(*), 0, 0, 0, 0, 0
        FROM recorded_error JOIN reservation hold USING (wallet_id, task_id)
        GROUP BY hold.wallet_id, hold.day, hold.project_id, hold.model
    ) AS entry
    GROUP BY wallet_id, day, project_id, model
) AS counted USING (wallet_id, day, project_id, model)
JOIN wallet USING (wallet_id)
JOIN project USING (wallet_id, project_id)
WHERE kept.figures IS DISTINCT FROM counted.figures
ORDER BY wallet.wallet_id, day, project.slug COLLATE "C", model COLLATE "C";
