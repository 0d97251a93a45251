-- 0015_record_errors.sql: keeps what went wrong, and closes the wallet's gate on a guard miss.
--
-- insufficient_credits, as an answer to a create request or as the error of a task that failed, means that the guard
-- admitted what the wallet could not pay: nothing more is admitted until a reading asked for later shows enough.
CREATE FUNCTION record_errors(
    p_wallet_id    bigint,
    p_task_ids     uuid[],
    p_acts         text[],
    p_attempts     integer[],
    p_codes        text[],
    p_http_status  integer[],
    p_request_ids  text[],
    p_messages     text[],
    p_occurred_ats timestamptz[]
) RETURNS void LANGUAGE plpgsql AS $$
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
        WHERE NOT EXISTS (
            SELECT FROM recorded_error known
            WHERE known.wallet_id = p_wallet_id AND known.task_id IS NOT DISTINCT FROM asked.task_id
                AND known.act = asked.act AND known.attempt = asked.attempt AND known.occurred_at = asked.occurred_at)
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
    )
    UPDATE day_total total SET errors = total.errors + sums.errors
    FROM (SELECT project_id, model, day, count(*) AS errors FROM asked WHERE day IS NOT NULL GROUP BY 1, 2, 3) AS sums
    WHERE total.wallet_id = p_wallet_id AND total.day = sums.day AND total.project_id = sums.project_id
        AND total.model = sums.model;
END
$$;
COMMENT ON FUNCTION record_errors IS 'Keeps a group of errors; a guard miss among them closes the wallet''s gate.';

REVOKE EXECUTE ON FUNCTION record_errors FROM PUBLIC;
GRANT EXECUTE ON FUNCTION record_errors TO usage_service;
