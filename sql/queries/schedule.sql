-- Gives leased tasks of wallet $1 back: task ids, lease tokens, new states, when they are due (null: waits for a person),
-- and whether a status request was made.
SELECT schedule($1::bigint, $2::uuid[], $3::bigint[], $4::text[], $5::timestamptz[], $6::boolean[]) IS NULL AS scheduled;
