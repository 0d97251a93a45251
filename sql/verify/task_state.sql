-- Each task has its hold, its request's answer, and a state that the diagram in docs/design.md allows; and each entry belongs
-- to a task, once.
WITH waiting AS (
    SELECT wallet_id, unnest(task_ids) AS task_id FROM queued_group
), problem (wallet_id, task_id, found, expected) AS (
    SELECT task.wallet_id, task.task_id, 'its request was answered with another task', 'this task'
    FROM task
    LEFT JOIN client_request asked ON asked.wallet_id = task.wallet_id AND asked.client_request_id = task.client_request_id
    WHERE asked.task_id IS DISTINCT FROM task.task_id
    UNION ALL
    SELECT wallet_id, task_id, 'held, and no worker has it', 'a place in the queue'
    FROM task
    WHERE NOT EXISTS (SELECT FROM settlement ended WHERE (ended.wallet_id, ended.task_id) = (task.wallet_id, task.task_id))
        AND NOT EXISTS (SELECT FROM task_work work WHERE (work.wallet_id, work.task_id) = (task.wallet_id, task.task_id))
        AND NOT EXISTS (SELECT FROM waiting WHERE (waiting.wallet_id, waiting.task_id) = (task.wallet_id, task.task_id))
    UNION ALL
    SELECT wallet_id, task_id, 'to be taken by a worker again', 'one place in the queue'
    FROM waiting
    WHERE EXISTS (SELECT FROM task_work work WHERE (work.wallet_id, work.task_id) = (waiting.wallet_id, waiting.task_id))
        OR EXISTS (SELECT FROM settlement ended WHERE (ended.wallet_id, ended.task_id) = (waiting.wallet_id, waiting.task_id))
    UNION ALL
    SELECT wallet_id, task_id, format('%s places in the queue', count(*)), 'one'
    FROM waiting GROUP BY wallet_id, task_id HAVING count(*) > 1
    UNION ALL
    SELECT work.wallet_id, work.task_id, wrong.found, wrong.expected
    FROM task_work work
    LEFT JOIN reservation hold USING (wallet_id, task_id)
    LEFT JOIN acceptance taken USING (wallet_id, task_id)
    LEFT JOIN settlement ended USING (wallet_id, task_id)
    CROSS JOIN LATERAL (VALUES
        (ended.task_id IS NULL AND work.state = 'settled', 'settled without a settlement', 'an open state'),
        (ended.task_id IS NOT NULL AND work.state <> 'settled', 'open after its settlement', 'settled'),
        (work.state = 'accepted' AND taken.task_id IS NULL, 'accepted without an acceptance', 'an acceptance'),
        (work.state IN ('queued', 'sending') AND taken.task_id IS NOT NULL, 'to be sent after its acceptance', 'accepted'),
        ((work.project_id, work.model, work.day, work.amount_credits) IS DISTINCT FROM
             (hold.project_id, hold.model, hold.day, hold.amount_credits) AND hold.task_id IS NOT NULL,
         'in the queue with another hold', 'the hold of its reservation'),
        ((work.provider_task_id, work.reserved_credits) IS DISTINCT FROM (taken.provider_task_id, taken.reserved_credits),
         'in the queue with another acceptance', 'what its acceptance says')
    ) AS wrong (is_so, found, expected)
    WHERE wrong.is_so
    UNION ALL
    SELECT wallet_id, task_id, 'accepted without a stored request', 'a stored request'
    FROM acceptance taken
    WHERE NOT EXISTS (SELECT FROM stored_request sent WHERE (sent.wallet_id, sent.task_id) = (taken.wallet_id, taken.task_id))
    UNION ALL
    SELECT wallet_id, task_id, 'rejected after its acceptance', 'succeeded or failed'
    FROM settlement ended JOIN acceptance taken USING (wallet_id, task_id)
    WHERE ended.outcome = 'rejected' AND taken.entry_number < ended.entry_number
    UNION ALL
    SELECT wallet_id, task_id, 'an acceptance of no reservation', 'a reservation'
    FROM acceptance taken
    WHERE NOT EXISTS (SELECT FROM reservation hold WHERE (hold.wallet_id, hold.task_id) = (taken.wallet_id, taken.task_id))
    UNION ALL
    SELECT wallet_id, task_id, 'a settlement of no reservation', 'a reservation'
    FROM settlement ended
    WHERE NOT EXISTS (SELECT FROM reservation hold WHERE (hold.wallet_id, hold.task_id) = (ended.wallet_id, ended.task_id))
    UNION ALL
    SELECT wallet_id, task_id, 'work for no reservation', 'a reservation'
    FROM task_work work
    WHERE NOT EXISTS (SELECT FROM reservation hold WHERE (hold.wallet_id, hold.task_id) = (work.wallet_id, work.task_id))
    UNION ALL
    SELECT wallet_id, task_id, 'in the queue for no reservation', 'a reservation'
    FROM waiting
    WHERE NOT EXISTS (SELECT FROM reservation hold WHERE (hold.wallet_id, hold.task_id) = (waiting.wallet_id, waiting.task_id))
    UNION ALL
    SELECT wallet_id, task_id, 'a request of no reservation', 'a reservation'
    FROM stored_request sent
    WHERE NOT EXISTS (SELECT FROM reservation hold WHERE (hold.wallet_id, hold.task_id) = (sent.wallet_id, sent.task_id))
    UNION ALL
    SELECT wallet_id, task_id, 'an error of no reservation', 'a reservation'
    FROM recorded_error error
    WHERE task_id IS NOT NULL
        AND NOT EXISTS (SELECT FROM reservation hold WHERE (hold.wallet_id, hold.task_id) = (error.wallet_id, error.task_id))
    UNION ALL
    SELECT wallet_id, task_id, 'a reservation at no price', 'a price'
    FROM reservation hold
    WHERE NOT EXISTS (SELECT FROM price WHERE (price.wallet_id, price.price_id) = (hold.wallet_id, hold.price_id))
    UNION ALL
    SELECT wallet_id, task_id, 'a correction of no settlement', 'a settlement'
    FROM correction later
    WHERE NOT EXISTS (SELECT FROM settlement ended WHERE (ended.wallet_id, ended.task_id) = (later.wallet_id, later.task_id))
    UNION ALL
    SELECT wallet_id, task_id, 'a refused request that has a task', 'no task'
    FROM refusal JOIN task USING (wallet_id, task_id)
    UNION ALL
    SELECT wallet_id, task_id, format('%s settlements', count(*)), 'one'
    FROM settlement GROUP BY wallet_id, task_id HAVING count(*) > 1
    UNION ALL
    SELECT wallet_id, task_id, format('%s reservations', count(*)), 'one'
    FROM reservation GROUP BY wallet_id, task_id HAVING count(*) > 1
)
SELECT 'task_state' AS rule, wallet.slug AS wallet, problem.task_id::text AS subject, problem.found, problem.expected
FROM problem JOIN wallet USING (wallet_id)
ORDER BY wallet.wallet_id, problem.task_id, problem.found;
