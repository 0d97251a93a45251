-- 0023_record_hashed.sql: errors, readings and changes of budgets, which now join the hash chain, and are kept as before.
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
        RETURNING entry_number, entry_line(recorded_error) AS line
    ), hashed AS (
        INSERT INTO entry_hash (wallet_id, entry_number, hash)
        SELECT p_wallet_id, hashed.entry_number, hashed.hash
        FROM (SELECT array_agg(entry_number ORDER BY entry_number) AS numbers, array_agg(line ORDER BY entry_number) AS lines
              FROM added) AS grouped, entry_hashes(p_wallet_id, grouped.numbers, grouped.lines) AS hashed
    )
    UPDATE day_total total SET errors = total.errors + sums.errors
    FROM (SELECT project_id, model, day, count(*) AS errors FROM asked WHERE day IS NOT NULL GROUP BY 1, 2, 3) AS sums
    WHERE total.wallet_id = p_wallet_id AND total.day = sums.day AND total.project_id = sums.project_id
        AND total.model = sums.model;
END
$$;

CREATE OR REPLACE FUNCTION record_reading(
    p_wallet_id       bigint,
    p_current_credits bigint,
    p_seen_number     bigint,
    p_seen_taken      bigint,
    p_seen_returned   bigint,
    p_seen_running    bigint,
    p_recorded_by     text,
    p_read_at         timestamptz
) RETURNS TABLE (entry_number bigint, unattributed_credits bigint, is_newest boolean) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    v_balance      wallet_balance%ROWTYPE;
    v_newest       boolean;
    v_explained    bigint;
    v_unattributed bigint;
BEGIN
    SELECT b.* INTO STRICT v_balance FROM wallet_balance b WHERE b.wallet_id = p_wallet_id FOR UPDATE;
    v_newest := p_seen_number >= coalesce(v_balance.reading_seen_number, 0);
    v_unattributed := v_balance.unattributed_credits;
    IF v_newest THEN
        v_balance.opening_credits := coalesce(v_balance.opening_credits, p_current_credits + p_seen_taken - p_seen_returned);
        v_explained := v_balance.opening_credits - p_current_credits - (p_seen_taken - p_seen_returned);
        v_unattributed := least(v_explained + p_seen_running, greatest(v_unattributed,
            v_explained - v_balance.waiting_credits - (v_balance.taken_credits - p_seen_taken)));
    END IF;

    WITH added AS (
        INSERT INTO wallet_reading (wallet_id, entry_number, current_credits, seen_entry_number, unattributed_credits, day,
                                    evidence, recorded_by, read_at)
        SELECT p_wallet_id, v_balance.last_entry_number + 1, p_current_credits, p_seen_number,
               v_unattributed - v_balance.unattributed_credits, (p_read_at AT TIME ZONE wallet.time_zone)::date,
               CASE WHEN p_recorded_by IS NULL THEN 'provider' ELSE 'person' END, p_recorded_by, p_read_at
        FROM wallet WHERE wallet.wallet_id = p_wallet_id
        RETURNING entry_number, entry_line(wallet_reading) AS line
    )
    INSERT INTO entry_hash (wallet_id, entry_number, hash)
    SELECT p_wallet_id, hashed.entry_number, hashed.hash FROM added, entry_hashes(p_wallet_id, ARRAY[entry_number], ARRAY[line]) AS hashed;

    IF v_newest THEN
        v_balance.reading_credits := p_current_credits;
        v_balance.reading_taken_credits := p_seen_taken;
        IF v_balance.gate = 'no_reading' OR p_seen_number >= v_balance.gate_entry_number
            AND available_credits(v_balance) >= v_balance.gate_needed_credits THEN
            v_balance.gate := NULL;
            v_balance.gate_closed_at := NULL;
        END IF;
        UPDATE wallet_balance b
        SET last_entry_number = b.last_entry_number + 1, opening_credits = v_balance.opening_credits,
            unattributed_credits = v_unattributed,
            reading_credits = p_current_credits, reading_entry_number = b.last_entry_number + 1,
            reading_seen_number = p_seen_number, reading_taken_credits = p_seen_taken, read_at = p_read_at,
            gate = v_balance.gate, gate_closed_at = v_balance.gate_closed_at
        WHERE b.wallet_id = p_wallet_id;
    ELSE
        UPDATE wallet_balance b SET last_entry_number = b.last_entry_number + 1 WHERE b.wallet_id = p_wallet_id;
    END IF;
    RETURN QUERY SELECT v_balance.last_entry_number + 1, v_unattributed - v_balance.unattributed_credits, v_newest;
END
$$;

CREATE OR REPLACE FUNCTION set_budget(p_wallet_id bigint, p_project_id bigint, p_period text, p_limit_credits bigint, p_at timestamptz)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_entry bigint;
BEGIN
    UPDATE wallet_balance SET last_entry_number = last_entry_number + 1 WHERE wallet_id = p_wallet_id
    RETURNING last_entry_number INTO STRICT v_entry;
    WITH added AS (
        INSERT INTO budget_change (wallet_id, entry_number, project_id, period, limit_credits, changed_at)
        VALUES (p_wallet_id, v_entry, p_project_id, p_period, p_limit_credits, p_at)
        RETURNING entry_line(budget_change) AS line
    )
    INSERT INTO entry_hash (wallet_id, entry_number, hash)
    SELECT p_wallet_id, hashed.entry_number, hashed.hash FROM added, entry_hashes(p_wallet_id, ARRAY[v_entry], ARRAY[line]) AS hashed;
    IF p_limit_credits IS NULL THEN
        DELETE FROM budget WHERE wallet_id = p_wallet_id AND project_id = p_project_id AND period = p_period;
        -- Without a budget nothing keeps its counters; a later one makes them anew from the day totals.
        DELETE FROM budget_counter WHERE wallet_id = p_wallet_id AND project_id = p_project_id AND period = p_period;
    ELSE
        INSERT INTO budget (wallet_id, project_id, period, limit_credits)
        VALUES (p_wallet_id, p_project_id, p_period, p_limit_credits)
        ON CONFLICT ON CONSTRAINT budget_one_per_period DO UPDATE SET limit_credits = excluded.limit_credits;
    END IF;
END
$$;
