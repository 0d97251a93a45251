-- Extends leases of wallet $1 until $4: task ids and their tokens. Returns those that are still held, and the time.
-- A task that is being written at this moment is left out: two that write several tasks never wait for each other here.
WITH held AS MATERIALIZED (
    SELECT held.*
    FROM unnest($2::uuid[], $3::bigint[]) AS held (task_id, lease_token)
    JOIN task_work work ON work.wallet_id = $1::bigint AND work.task_id = held.task_id
    FOR UPDATE OF work SKIP LOCKED
)
UPDATE task_work work SET due_at = $4::timestamptz
FROM held
WHERE work.wallet_id = $1::bigint AND work.task_id = held.task_id AND work.lease_token = held.lease_token AND work.leased
RETURNING work.task_id, clock_timestamp() AS now;
