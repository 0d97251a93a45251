-- Takes up to $3 due tasks of wallet $1 at time $2, but none of $5, and leases them until $4. A task taken to be sent
-- is marked as sending, and counted as an attempt, before its first byte leaves. Answers with the time of this clock too.
WITH due AS MATERIALIZED (
    SELECT task_id FROM task_work
    WHERE wallet_id = $1::bigint AND due_at <= $2::timestamptz AND task_id <> ALL ($5::uuid[])
    ORDER BY due_at
    LIMIT $3::bigint
    FOR UPDATE SKIP LOCKED
), taken AS (
    UPDATE task_work work
    SET leased = true, due_at = $4::timestamptz, lease_token = work.lease_token + 1,
        state = CASE WHEN work.state IN ('queued', 'unknown') THEN 'sending' ELSE work.state END,
        -- A lease that ran out while its task was being sent leaves the doubt whether it was.
        in_doubt = work.in_doubt OR work.state IN ('sending', 'unknown'),
        attempts = work.attempts + (work.provider_task_id IS NULL)::integer,
        -- Earlier requests that were surely not taken do not count: only a doubt has to end in time.
        first_sent_at = CASE WHEN work.state = 'queued' AND NOT work.in_doubt THEN $2::timestamptz
                             ELSE work.first_sent_at END
    FROM due
    WHERE work.wallet_id = $1::bigint AND work.task_id = due.task_id
    RETURNING work.task_id, work.state, work.lease_token, work.attempts, work.polls, work.in_doubt, work.first_sent_at,
              work.provider_task_id
)
-- The acceptance by this clock, not by the provider's, whose stamp the task's row has.
SELECT taken.*, request.body, acceptance.recorded_at AS accepted_at, clock_timestamp() AS now
FROM taken
LEFT JOIN task_request request
    ON request.wallet_id = $1::bigint AND request.task_id = taken.task_id AND taken.provider_task_id IS NULL
LEFT JOIN acceptance ON acceptance.wallet_id = $1::bigint AND acceptance.task_id = taken.task_id
ORDER BY taken.task_id;
