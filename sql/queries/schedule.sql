-- Gives leased tasks of wallet $1 back: task ids, lease tokens, new states, when they are due (null: waits for a person),
-- and whether a status request was made. A task whose token has moved on is left alone.
WITH given AS MATERIALIZED (
    SELECT given.*
    FROM unnest($2::uuid[], $3::bigint[], $4::text[], $5::timestamptz[], $6::boolean[])
         AS given (task_id, lease_token, state, due_at, polled)
    JOIN task_work work ON work.wallet_id = $1::bigint AND work.task_id = given.task_id
    ORDER BY given.task_id
    FOR UPDATE OF work
)
UPDATE task_work work
SET state = given.state, due_at = given.due_at, leased = false, polls = work.polls + given.polled::integer
FROM given
WHERE work.wallet_id = $1::bigint AND work.task_id = given.task_id AND work.lease_token = given.lease_token;
