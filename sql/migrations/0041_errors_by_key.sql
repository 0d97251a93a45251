-- 0041_errors_by_key.sql: an error that is recorded is looked for by its key, and a settled task that nobody will read again leaves
-- the queue.
--
-- "IS NOT DISTINCT FROM" is no condition of an index. So each error was compared with all that the wallet ever had, under the
-- wallet's lock: the more there were, the longer everybody waited.
CREATE OR REPLACE FUNCTION record_errors(
    p_wallet_id    bigint,
    p_task_ids     uuid[],
    p_acts         text[],
    p_attempts     integer[],
    p_codes        text[],
    p_http_status  integer[],
    p_request_ids  text[],
    p_messages     text[],
    p_occurred_ats timestamptz[]
) RETURNS void LANGUAGE plpgsql
    SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
    SET enable_material = off SET jit = off AS $$
#variable_conflict use_column
BEGIN
    PERFORM FROM wallet_balance b WHERE b.wallet_id = p_wallet_id FOR UPDATE;
    WITH asked AS (
        -- A worker that does not know whether an error was recorded records it again: it counts once.
        SELECT asked.*, row_number() OVER (ORDER BY asked.place) AS n, hold.project_id, hold.model, hold.day, hold.amount_credits,
               asked.code = 'insufficient_credits' AND asked.act IN ('create', 'task') AS miss
        FROM (SELECT DISTINCT ON (given.task_id, given.act, given.attempt, given.occurred_at) given.*
              FROM unnest(p_task_ids, p_acts, p_attempts, p_codes, p_http_status, p_request_ids, p_messages, p_occurred_ats)
                   WITH ORDINALITY
                   AS given (task_id, act, attempt, code, http_status, request_id, message, occurred_at, place)
              ORDER BY given.task_id, given.act, given.attempt, given.occurred_at, given.place) AS asked
        LEFT JOIN reservation hold ON hold.wallet_id = p_wallet_id AND hold.task_id = asked.task_id
        -- One look at the key for each, whatever the statistics say; most have a task.
        WHERE CASE WHEN asked.task_id IS NOT NULL THEN (
                SELECT known.entry_number FROM recorded_error known
                WHERE known.wallet_id = p_wallet_id AND known.task_id = asked.task_id AND known.act = asked.act
                    AND known.attempt = asked.attempt AND known.occurred_at = asked.occurred_at)
            ELSE (
                SELECT known.entry_number FROM recorded_error known
                WHERE known.wallet_id = p_wallet_id AND known.task_id IS NULL AND known.act = asked.act
                    AND known.attempt = asked.attempt AND known.occurred_at = asked.occurred_at)
            END IS NULL
    ), balance AS (
        UPDATE wallet_balance b
        SET last_entry_number = b.last_entry_number + sums.entries,
            guard_misses = b.guard_misses + sums.misses,
            gate = CASE WHEN sums.misses > 0 AND b.reading_credits IS NOT NULL THEN 'guard_miss' ELSE b.gate END,
            gate_needed_credits = CASE WHEN sums.misses > 0 THEN sums.needed ELSE b.gate_needed_credits END,
            gate_entry_number = CASE WHEN sums.misses > 0 THEN b.last_entry_number + sums.entries ELSE b.gate_entry_number END,
            gate_closed_at = CASE WHEN sums.misses > 0 THEN sums.missed_at ELSE b.gate_closed_at END
        FROM (SELECT count(*) AS entries, count(*) FILTER (WHERE miss) AS misses,
                     max(amount_credits) FILTER (WHERE miss) AS needed, max(occurred_at) FILTER (WHERE miss) AS missed_at
              FROM asked) AS sums
        WHERE b.wallet_id = p_wallet_id
        RETURNING b.last_entry_number - sums.entries AS first_free
    ), added AS (
        INSERT INTO recorded_error (wallet_id, entry_number, task_id, act, attempt, code, http_status, request_id, message, occurred_at)
        SELECT p_wallet_id, first_free + n, task_id, act, attempt, code, http_status, request_id, message, occurred_at
        FROM asked, balance
        RETURNING entry_number, entry_line(recorded_error) AS line
    ), linked AS (
        INSERT INTO entry_link
        SELECT link.*
        FROM (SELECT min(entry_number) AS first, array_agg(line ORDER BY entry_number) AS lines FROM added) AS grouped,
             entry_links(p_wallet_id, grouped.first, grouped.lines) AS link
    )
    UPDATE day_total total SET errors = total.errors + sums.errors
    FROM (SELECT project_id, model, day, count(*) AS errors FROM asked WHERE day IS NOT NULL GROUP BY 1, 2, 3) AS sums
    WHERE total.wallet_id = p_wallet_id AND total.day = sums.day AND total.project_id = sums.project_id
        AND total.model = sums.model;
END
$$;

-- A settled task is read once more where it failed. If the provider does not know it by then, there is nothing left to wait for.
CREATE OR REPLACE FUNCTION schedule(
    p_wallet_id    bigint,
    p_task_ids     uuid[],
    p_lease_tokens bigint[],
    p_states       text[],
    p_due_ats      timestamptz[],
    p_polled       boolean[]
) RETURNS void LANGUAGE plpgsql
    SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off AS $$
DECLARE
    given record;
BEGIN
    -- By key, as all who write several tasks do, so that none waits for another in a circle.
    FOR given IN
        SELECT asked.* FROM unnest(p_task_ids, p_lease_tokens, p_states, p_due_ats, p_polled)
            AS asked (task_id, lease_token, state, due_at, polled)
        ORDER BY asked.task_id
    LOOP
        IF given.state = 'settled' AND given.due_at IS NULL THEN
            DELETE FROM task_work work
            WHERE work.wallet_id = p_wallet_id AND work.task_id = given.task_id AND work.lease_token = given.lease_token;
            CONTINUE;
        END IF;
        UPDATE task_work work
        SET state = given.state, due_at = given.due_at, leased = false, polls = work.polls + given.polled::integer
        WHERE work.wallet_id = p_wallet_id AND work.task_id = given.task_id AND work.lease_token = given.lease_token;
    END LOOP;
END
$$;
COMMENT ON FUNCTION schedule IS 'Gives leased tasks back; one whose lease token has moved on is left alone, and one that is settled and due no more leaves the queue.';
