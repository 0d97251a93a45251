-- Each task has its hold, its request's answer, and a state that the diagram in docs/design.md allows.
SELECT wallet.slug AS wallet, task.task_id::text AS subject, problem.found, problem.expected
FROM task
JOIN wallet USING (wallet_id)
LEFT JOIN reservation hold USING (wallet_id, task_id)
LEFT JOIN task_request request USING (wallet_id, task_id)
LEFT JOIN acceptance taken USING (wallet_id, task_id)
LEFT JOIN settlement ended USING (wallet_id, task_id)
LEFT JOIN task_work work USING (wallet_id, task_id)
LEFT JOIN client_request asked ON asked.wallet_id = task.wallet_id AND asked.client_request_id = task.client_request_id
CROSS JOIN LATERAL (VALUES
    (hold.task_id IS NULL, 'no reservation', 'a reservation'),
    (asked.task_id IS DISTINCT FROM task.task_id, 'its request was answered with another task', 'this task'),
    (ended.task_id IS NULL AND work.task_id IS NULL, 'held, and no worker has it', 'a row in task_work'),
    (ended.task_id IS NULL AND work.state = 'settled', 'settled without a settlement', 'an open state'),
    (ended.task_id IS NOT NULL AND work.state <> 'settled', 'open after its settlement', 'settled'),
    (work.state = 'accepted' AND taken.task_id IS NULL, 'accepted without an acceptance', 'an acceptance'),
    (work.state IN ('queued', 'sending') AND taken.task_id IS NOT NULL, 'to be sent after its acceptance', 'accepted'),
    (taken.task_id IS NOT NULL AND request.task_id IS NULL, 'accepted without a stored request', 'a stored request'),
    (ended.outcome = 'rejected' AND taken.entry_number < ended.entry_number, 'rejected after its acceptance', 'succeeded or failed')
) AS problem (is_one, found, expected)
WHERE problem.is_one
ORDER BY wallet.wallet_id, task.task_id;
