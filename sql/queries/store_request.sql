-- Completes a task of wallet $1 whose references are uploaded: task id, request body, time. The worker may
-- now send it, however far ahead the caller's clock is.
WITH stored AS (
    INSERT INTO task_request (wallet_id, task_id, body)
    SELECT $1::bigint, task_id, $3::bytea FROM task_work
    WHERE wallet_id = $1::bigint AND task_id = $2::uuid AND state = 'queued' AND due_at IS NULL
    ON CONFLICT ON CONSTRAINT task_request_one_per_task DO NOTHING
    RETURNING task_id
), due AS (
    UPDATE task_work SET due_at = least($4::timestamptz, clock_timestamp())
    WHERE wallet_id = $1::bigint AND task_id = $2::uuid AND EXISTS (SELECT FROM stored)
    RETURNING task_id
)
SELECT due.task_id, pg_notify('usage_work', $1::bigint::text) IS NULL AS woken FROM due;
