-- Wakes the workers of wallet $1. A transaction that notifies holds a lock of the whole server until its commit is on disk, and
-- one that only notifies need not wait for the disk.
SELECT pg_notify('usage_work', $1::bigint::text);
