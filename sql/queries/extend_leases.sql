-- Extends leases of wallet $1 until $4: task ids and their tokens. Returns those that are still held.
UPDATE task_work work SET due_at = $4::timestamptz
FROM unnest($2::uuid[], $3::bigint[]) AS held (task_id, lease_token)
WHERE work.wallet_id = $1::bigint AND work.task_id = held.task_id AND work.lease_token = held.lease_token AND work.leased
RETURNING work.task_id;
