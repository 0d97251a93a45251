-- Extends leases of wallet $1 until $4: task ids and their tokens. Returns those that are still held, and the time.
SELECT task_id, clock_timestamp() AS now FROM extend_leases($1::bigint, $2::uuid[], $3::bigint[], $4::timestamptz) AS task_id;
