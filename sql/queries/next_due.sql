-- The time, when the next task of wallet $1 is due or the next lease ends, and whether a worker still has something to bring to
-- an end: not what waits for its references or a person, nor what is only read once more.
SELECT clock_timestamp() AS now, due_at, is_unfinished FROM next_due($1::bigint);
