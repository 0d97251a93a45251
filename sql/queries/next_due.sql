-- The time, when the next task of wallet $1 is due or the next lease ends, and how many the worker still has to bring to an end: not those that wait for
-- their references or a person, nor those that are only read once more.
SELECT clock_timestamp() AS now, min(due_at) AS due_at, count(*) FILTER (WHERE due_at IS NOT NULL AND state <> 'settled') AS unfinished
FROM task_work WHERE wallet_id = $1::bigint;
