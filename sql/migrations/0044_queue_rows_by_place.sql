-- 0044_queue_rows_by_place.sql: accept() and settle() joined the queue by its key, and a planner may begin such a join at the wrong end.
-- Once VACUUM has found the queue nearly empty and could not cut its file short, the planner believes that it stays so: it reads all rows
-- of the queue for each group, and holds each against each act. With 10,000 tasks in the queue an acceptance took 1,200 us of the
-- server's time instead of 20, until the next ANALYZE. The rows are looked for by key, one by one, and locked first, so that they stay where
-- they are: from there on they are written by their place. No index is in the order of places and no table is read whole
-- here, so there is no other way to do it, whatever the statistics say.
ALTER TYPE known_task ADD ATTRIBUTE queue_row tid;

-- Called by the two below only, and planned as they are.
CREATE OR REPLACE FUNCTION known_tasks(p_wallet_id bigint, p_task_ids uuid[]) RETURNS known_task[] LANGUAGE plpgsql AS $$
DECLARE
    v_known known_task[];
    v_open  boolean;
    v_first uuid;
    v_last  uuid;
BEGIN
    -- A claim does not take the wallet's lock: one that commits at this moment is waited for, so that its lease is seen. By key,
    -- as all who write several tasks do, so that none waits for another in a circle.
    SELECT array_agg(ROW(found.project_id, found.model, found.day, found.amount_credits, found.provider_task_id, found.reserved_credits,
                         false, found.state, found.lease_token,
                         found.state = 'sending' AND found.leased AND found.due_at > clock_timestamp(),
                         NULL, NULL, NULL, found.queue_row)::known_task),
           bool_and(coalesce(found.state <> 'settled', false))
    INTO v_known, v_open
    FROM (
        SELECT queued.*
        FROM (SELECT given.* FROM unnest(p_task_ids) WITH ORDINALITY AS given (task_id, place) ORDER BY given.task_id) AS asked
        LEFT JOIN LATERAL (
            SELECT work.*, work.ctid AS queue_row FROM task_work work
            WHERE work.wallet_id = p_wallet_id AND work.task_id = asked.task_id FOR UPDATE
        ) AS queued ON true
        ORDER BY asked.place
    ) AS found;
    IF v_open THEN
        RETURN v_known;
    END IF;

    v_first := (SELECT given.task_id FROM unnest(p_task_ids) AS given (task_id) ORDER BY given.task_id LIMIT 1);
    v_last := (SELECT given.task_id FROM unnest(p_task_ids) AS given (task_id) ORDER BY given.task_id DESC LIMIT 1);
    RETURN ARRAY(
        SELECT ROW(hold.project_id, hold.model, hold.day, hold.amount_credits, taken.provider_task_id, taken.reserved_credits,
                   taken.entry_number > ended.entry_number, queued.state, queued.lease_token, queued.being_sent,
                   ended.outcome, ended.charged_credits + coalesce(later.charged_credits, 0),
                   ended.released_credits + coalesce(later.released_credits, 0), queued.queue_row)::known_task
        FROM unnest(p_task_ids, v_known) WITH ORDINALITY
             AS queued (task_id, project_id, model, day, amount_credits, provider_task_id, reserved_credits, accepted_late,
                        state, lease_token, being_sent, ended_as, charged_credits, released_credits, queue_row, place)
        LEFT JOIN reservation hold ON hold.wallet_id = p_wallet_id AND hold.task_id = queued.task_id
            AND hold.task_id BETWEEN v_first AND v_last
        LEFT JOIN acceptance taken ON taken.wallet_id = p_wallet_id AND taken.task_id = queued.task_id
        LEFT JOIN settlement ended ON ended.wallet_id = p_wallet_id AND ended.task_id = queued.task_id
            AND ended.task_id BETWEEN v_first AND v_last
        LEFT JOIN LATERAL (
            SELECT sum(c.charged_credits)::bigint AS charged_credits, sum(c.released_credits)::bigint AS released_credits
            FROM correction c WHERE c.wallet_id = p_wallet_id AND c.task_id = ended.task_id
        ) AS later ON true
        ORDER BY queued.place);
END
$$;

-- A fact of the provider's is booked whoever brings it, so no lease is asked for. A hold grows or shrinks to what was
-- taken, whatever the limit: the credits are gone. Where a person had ended the hold before, nothing is held any more;
-- the task is followed to its end and what comes of it is a correction.
CREATE OR REPLACE FUNCTION accept(
    p_wallet_id         bigint,
    p_task_ids          uuid[],
    p_provider_task_ids text[],
    p_reserved_credits  bigint[],
    p_accepted_ats      timestamptz[],
    p_due_ats           timestamptz[]
) RETURNS TABLE (place bigint, outcome text) LANGUAGE plpgsql
    SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off
    SET enable_hashjoin = off SET enable_mergejoin = off SET enable_material = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
    v_count       integer := cardinality(p_task_ids);
    v_recorded    timestamptz;
    v_before      bigint;     -- the last entry's number before, and after
    v_entry       bigint;
    v_known       known_task[];
    v_task        known_task;
    v_first       integer[];  -- once something was found twice: for each act, the place of its task's first,
    v_first_of    integer[];  -- of its provider task's first,
    v_other       uuid[];     -- and the task that has its provider task already
    v_is_given    boolean[];  -- at each first place of a provider task: whether a task of this group has it now
    v_outcomes    text[];
    v_numbers     bigint[];   -- of those that are accepted now
    v_taken       bigint[];
    v_lines       text[];     -- of each new entry
    v_all_differs bigint;
    v_all_waited  bigint;
    v_all_taken   bigint;
    v_is_changed  boolean;
    v_is_gone     boolean;
BEGIN
    SELECT b.last_entry_number INTO STRICT v_before FROM wallet_balance b WHERE b.wallet_id = p_wallet_id FOR UPDATE;
    v_known := known_tasks(p_wallet_id, p_task_ids);
    v_recorded := clock_timestamp();
    -- A provider task that stands for a task already is met by its key, not looked for first: it is the exception.
    LOOP
        v_entry := v_before;
        v_lines := '{}';
        v_numbers := array_fill(NULL::bigint, ARRAY[v_count]);
        v_is_given := array_fill(false, ARRAY[v_count]);
        v_all_differs := 0;
        v_all_waited := 0;
        v_all_taken := 0;
        v_is_changed := false;
        v_is_gone := false;
        FOR i IN 1 .. v_count LOOP
            v_task := v_known[i];
            v_outcomes[i] := CASE
                WHEN v_task.amount_credits IS NULL THEN 'unknown_task'
                WHEN coalesce(v_task.provider_task_id, CASE WHEN v_first[i] < i THEN p_provider_task_ids[v_first[i]] END)
                    = p_provider_task_ids[i] THEN 'already_accepted'
                WHEN v_task.provider_task_id IS NOT NULL OR v_first[i] < i THEN 'other_provider_task'
                WHEN v_other[i] IS NOT NULL OR v_is_given[v_first_of[i]] THEN 'provider_task_of_another'
                ELSE 'accepted' END;
            CONTINUE WHEN v_outcomes[i] <> 'accepted';
            IF v_first IS NOT NULL THEN
                v_is_given[v_first_of[i]] := true;
            END IF;
            v_entry := v_entry + 1;
            v_numbers[i] := v_entry;
            v_taken[i] := coalesce(p_reserved_credits[i], v_task.amount_credits);
            v_lines[v_entry - v_before] := acceptance_line(p_wallet_id, v_entry, p_task_ids[i], p_provider_task_ids[i],
                v_task.amount_credits, v_taken[i], p_accepted_ats[i], v_recorded);
            -- Without what the books already count as taken for it: a person may have charged it.
            v_all_taken := v_all_taken + v_taken[i] - coalesce(v_task.charged_credits, 0);
            IF v_task.ended_as IS NULL THEN
                v_all_waited := v_all_waited + v_task.amount_credits;
                v_all_differs := v_all_differs + v_taken[i] - v_task.amount_credits;
                v_is_changed := v_is_changed OR v_taken[i] <> v_task.amount_credits;
            END IF;
            v_is_gone := v_is_gone OR v_task.state IS NULL;
        END LOOP;
        BEGIN
            INSERT INTO acceptance (wallet_id, task_id, entry_number, provider_task_id, held_credits, reserved_credits, accepted_at,
                                    recorded_at)
            SELECT p_wallet_id, p_task_ids[i], v_numbers[i], p_provider_task_ids[i], (v_known[i]).amount_credits, v_taken[i],
                   p_accepted_ats[i], v_recorded
            FROM generate_series(1, v_count) AS i WHERE v_numbers[i] IS NOT NULL;
            EXIT;
        EXCEPTION WHEN unique_violation THEN
            IF v_first IS NOT NULL THEN
                RAISE;
            END IF;
            SELECT array_agg(asked.first ORDER BY asked.place), array_agg(asked.first_of ORDER BY asked.place),
                   array_agg(asked.other ORDER BY asked.place)
            INTO v_first, v_first_of, v_other
            FROM (SELECT i AS place, min(i) OVER (PARTITION BY p_task_ids[i]) AS first,
                         min(i) OVER (PARTITION BY p_provider_task_ids[i]) AS first_of,
                         (SELECT known.task_id FROM acceptance known
                          WHERE known.wallet_id = p_wallet_id AND known.provider_task_id = p_provider_task_ids[i]) AS other
                  FROM generate_series(1, v_count) AS i) AS asked;
        END;
    END LOOP;

    IF v_entry > v_before THEN
        WITH linked AS (
            INSERT INTO entry_link SELECT * FROM entry_links(p_wallet_id, v_before + 1, v_lines)
        ), accepted AS MATERIALIZED (
            SELECT (v_known[i]).queue_row, i FROM generate_series(1, v_count) AS i WHERE v_numbers[i] IS NOT NULL
        ), followed AS (
            UPDATE task_work work
            SET state = CASE WHEN (v_known[i]).ended_as IS NULL THEN 'accepted' ELSE 'settled' END, due_at = p_due_ats[i],
                leased = false, lease_token = work.lease_token + 1, first_sent_at = coalesce(work.first_sent_at, p_accepted_ats[i]),
                accepted_at = p_accepted_ats[i], provider_task_id = p_provider_task_ids[i], reserved_credits = v_taken[i]
            FROM accepted WHERE work.ctid = accepted.queue_row
        )
        UPDATE wallet_balance b
        SET last_entry_number = v_entry,
            reserved_credits = b.reserved_credits + v_all_differs,
            held_credits = b.held_credits + v_all_differs,
            waiting_credits = b.waiting_credits - v_all_waited,
            taken_credits = b.taken_credits + v_all_taken
        WHERE b.wallet_id = p_wallet_id;
    END IF;
    IF v_is_gone THEN
        -- Where a person's act had taken the row away, the entry's number is beyond every lease that the task has had.
        INSERT INTO task_work (wallet_id, task_id, state, due_at, lease_token, first_sent_at, accepted_at, provider_task_id,
                               project_id, model, day, amount_credits, reserved_credits)
        SELECT p_wallet_id, p_task_ids[i], CASE WHEN (v_known[i]).ended_as IS NULL THEN 'accepted' ELSE 'settled' END, p_due_ats[i],
               v_numbers[i], p_accepted_ats[i], p_accepted_ats[i], p_provider_task_ids[i], (v_known[i]).project_id,
               (v_known[i]).model, (v_known[i]).day, (v_known[i]).amount_credits, v_taken[i]
        FROM generate_series(1, v_count) AS i WHERE v_numbers[i] IS NOT NULL AND (v_known[i]).state IS NULL;
    END IF;
    IF v_is_changed THEN
        WITH difference AS MATERIALIZED (
            SELECT p_wallet_id AS wallet_id, (v_known[i]).project_id, (v_known[i]).model, (v_known[i]).day,
                   sum(v_taken[i] - (v_known[i]).amount_credits) AS credits
            FROM generate_series(1, v_count) AS i WHERE v_numbers[i] IS NOT NULL AND (v_known[i]).ended_as IS NULL
            GROUP BY 2, 3, 4
        ), totals AS (
            UPDATE day_total total
            SET reserved_credits = total.reserved_credits + difference.credits,
                held_credits = total.held_credits + difference.credits
            FROM difference
            WHERE total.wallet_id = difference.wallet_id AND total.day = difference.day AND total.project_id = difference.project_id
                AND total.model = difference.model
        )
        UPDATE budget_counter counter SET held_credits = counter.held_credits + moved.credits
        FROM (SELECT wallet_id, project_id, period.name AS period, period_start(period.name, day) AS starts_on,
                     sum(credits) AS credits
              FROM difference, (VALUES ('day'), ('month'), ('total')) AS period (name) GROUP BY 1, 2, 3, 4) AS moved
        WHERE counter.wallet_id = moved.wallet_id AND counter.project_id = moved.project_id
            AND counter.period = moved.period AND counter.starts_on = moved.starts_on;
    END IF;
    RETURN QUERY SELECT i::bigint, v_outcomes[i] FROM generate_series(1, v_count) AS i;
END
$$;

CREATE OR REPLACE FUNCTION settle(
    p_wallet_id     bigint,
    p_task_ids      uuid[],
    p_lease_tokens  bigint[],
    p_outcomes      text[],
    p_charged       bigint[],
    p_error_codes   text[],
    p_result_urls   jsonb[],
    p_resolved_bys  text[],
    p_reasons       text[],
    p_settled_ats   timestamptz[],
    p_recheck_ats   timestamptz[]
) RETURNS TABLE (place bigint, outcome text) LANGUAGE plpgsql
    SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off
    SET enable_hashjoin = off SET enable_mergejoin = off SET enable_material = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
    v_count        integer := cardinality(p_task_ids);
    v_recorded     timestamptz;
    v_before       bigint;     -- the last entry's number before, and after
    v_entry        bigint;
    v_is_repeated  boolean;
    v_first        integer[];  -- where a task is named twice: for each act, the place of its task's first
    v_has_ended    boolean[];  -- and at each such place whether an ending of the task is booked
    v_known        known_task[];
    v_task         known_task;
    v_outcomes     text[];
    v_numbers      bigint[];   -- of those that add an entry
    v_charged      bigint[];   -- what each adds to the totals
    v_released     bigint[];
    v_ended        bigint[];
    v_difference   bigint[];
    v_rechecks     boolean[];  -- whether the task is asked after again
    v_lines        text[];     -- of each new entry
    v_corrected_numbers bigint[];
    v_corrected_lines   text[];
    v_held         bigint;
    v_counted      bigint;
    v_is_moved     boolean := false;
    v_is_corrected boolean := false;
    v_all_charged  bigint := 0;
    v_all_released bigint := 0;
    v_all_ended    bigint := 0;
    v_all_waited   bigint := 0;
    v_all_taken    bigint := 0;
    v_all_returned bigint := 0;
BEGIN
    IF array_position(p_charged, NULL) IS NOT NULL OR cardinality(p_charged) <> v_count THEN
        RAISE EXCEPTION 'a settlement names what is charged' USING ERRCODE = 'null_value_not_allowed';
    END IF;
    SELECT b.last_entry_number, (SELECT count(DISTINCT given.id) FROM unnest(p_task_ids) AS given (id)) < v_count
    INTO STRICT v_before, v_is_repeated
    FROM wallet_balance b WHERE b.wallet_id = p_wallet_id FOR UPDATE;
    v_known := known_tasks(p_wallet_id, p_task_ids);
    v_recorded := clock_timestamp();
    v_entry := v_before;
    v_has_ended := array_fill(false, ARRAY[v_count]);
    v_rechecks := v_has_ended;
    v_numbers := array_fill(NULL::bigint, ARRAY[v_count]);
    IF v_is_repeated THEN
        v_first := ARRAY(SELECT min(i) OVER (PARTITION BY p_task_ids[i]) FROM generate_series(1, v_count) AS i ORDER BY i);
    END IF;

    FOR i IN 1 .. v_count LOOP
        v_task := v_known[i];
        -- Of several endings of one task in a group, the first that can be booked is.
        v_outcomes[i] := CASE
            WHEN v_task.amount_credits IS NULL THEN 'unknown_task'
            WHEN v_task.ended_as IS NOT NULL AND (p_resolved_bys[i] IS NOT NULL OR v_task.state IS NULL) THEN 'already_settled'
            WHEN p_lease_tokens[i] <> coalesce(v_task.lease_token, -1) THEN 'fenced'
            WHEN p_outcomes[i] = 'rejected' AND v_task.provider_task_id IS NOT NULL THEN 'already_accepted'
            WHEN v_task.ended_as IS NULL AND p_resolved_bys[i] IS NOT NULL AND v_task.being_sent THEN 'being_sent'
            WHEN v_has_ended[v_first[i]] THEN 'already_settled'
            WHEN v_task.ended_as IS NULL THEN 'settled'
            WHEN p_charged[i] <> v_task.charged_credits THEN 'corrected'
            ELSE 'confirmed' END;
        CONTINUE WHEN v_outcomes[i] NOT IN ('settled', 'corrected', 'confirmed');
        v_is_moved := true;
        IF v_is_repeated THEN
            v_has_ended[v_first[i]] := true;
        END IF;
        IF v_outcomes[i] <> 'confirmed' THEN
            v_entry := v_entry + 1;
            v_numbers[i] := v_entry;
        END IF;

        IF v_outcomes[i] = 'settled' THEN
            v_held := coalesce(v_task.reserved_credits, v_task.amount_credits);
            v_counted := coalesce(v_task.reserved_credits, 0);
            v_charged[i] := p_charged[i];
            v_released[i] := greatest(v_held - p_charged[i], 0);
            v_ended[i] := v_held;
            -- A success that costs nothing differs from its price as well.
            v_difference[i] := CASE WHEN p_charged[i] = 0 AND p_outcomes[i] <> 'succeeded' THEN 0
                                    ELSE p_charged[i] - v_task.amount_credits END;
            v_rechecks[i] := p_recheck_ats[i] IS NOT NULL AND v_task.provider_task_id IS NOT NULL;
            v_lines[v_entry - v_before] := settlement_line(p_wallet_id, v_entry, p_task_ids[i], p_outcomes[i],
                CASE WHEN p_resolved_bys[i] IS NULL THEN 'provider' ELSE 'person' END, v_charged[i] + v_released[i], v_charged[i],
                v_released[i], v_difference[i], p_error_codes[i], p_resolved_bys[i], p_reasons[i], p_result_urls[i],
                p_settled_ats[i], v_recorded);
            IF v_task.reserved_credits IS NULL THEN
                v_all_waited := v_all_waited + v_held;
            END IF;
        ELSE
            -- A correction moves the difference, first between released and charged, then into the reserved.
            v_is_corrected := v_is_corrected OR v_outcomes[i] = 'corrected';
            v_counted := CASE WHEN v_task.accepted_late THEN v_task.reserved_credits ELSE v_task.charged_credits END;
            v_charged[i] := p_charged[i] - v_task.charged_credits;
            v_released[i] := greatest(v_task.charged_credits - p_charged[i], -v_task.released_credits);
            v_ended[i] := 0;
            v_difference[i] := CASE WHEN p_charged[i] = 0 AND v_task.ended_as <> 'succeeded' THEN 0
                                    ELSE p_charged[i] - v_task.amount_credits END
                - CASE WHEN v_task.charged_credits = 0 AND v_task.ended_as <> 'succeeded' THEN 0
                       ELSE v_task.charged_credits - v_task.amount_credits END;
        END IF;
        v_all_charged := v_all_charged + v_charged[i];
        v_all_released := v_all_released + v_released[i];
        v_all_ended := v_all_ended + v_ended[i];
        -- A charge beyond what was counted is only now known to have been taken: the last reading may not have seen it leave.
        v_all_taken := v_all_taken + greatest(p_charged[i] - v_counted, 0);
        v_all_returned := v_all_returned + greatest(v_counted - p_charged[i], 0);
    END LOOP;

    IF v_is_corrected THEN
        WITH corrected AS (
            INSERT INTO correction (wallet_id, entry_number, task_id, reserved_credits, charged_credits, released_credits, reason,
                                    corrected_at, recorded_at)
            SELECT p_wallet_id, v_numbers[i], p_task_ids[i], v_charged[i] + v_released[i], v_charged[i], v_released[i],
                   format('the provider says %s with final_credits %s', p_outcomes[i], p_charged[i]), p_settled_ats[i], v_recorded
            FROM generate_series(1, v_count) AS i WHERE v_outcomes[i] = 'corrected'
            RETURNING entry_number, entry_line(correction) AS line
        )
        SELECT array_agg(entry_number), array_agg(line) INTO v_corrected_numbers, v_corrected_lines FROM corrected;
        FOR i IN 1 .. cardinality(v_corrected_numbers) LOOP
            v_lines[v_corrected_numbers[i] - v_before] := v_corrected_lines[i];
        END LOOP;
    END IF;
    IF v_is_moved THEN
        -- Totals and counters are looked up by key with the wallet's id: no plan then reads all of the wallet's rows for each.
        WITH settled AS (
            INSERT INTO settlement (wallet_id, task_id, entry_number, outcome, evidence, reserved_credits, charged_credits,
                                    released_credits, price_difference_credits, error_code, resolved_by, reason, result_urls,
                                    settled_at, recorded_at)
            SELECT p_wallet_id, p_task_ids[i], v_numbers[i], p_outcomes[i],
                   CASE WHEN p_resolved_bys[i] IS NULL THEN 'provider' ELSE 'person' END, v_charged[i] + v_released[i], v_charged[i],
                   v_released[i], v_difference[i], p_error_codes[i], p_resolved_bys[i], p_reasons[i], p_result_urls[i],
                   p_settled_ats[i], v_recorded
            FROM generate_series(1, v_count) AS i WHERE v_outcomes[i] = 'settled'
        ), linked AS (
            INSERT INTO entry_link SELECT * FROM entry_links(p_wallet_id, v_before + 1, v_lines)
        ), removed AS (
            DELETE FROM task_work work
            WHERE work.ctid = ANY (ARRAY(
                SELECT (v_known[i]).queue_row FROM generate_series(1, v_count) AS i
                WHERE v_outcomes[i] IN ('settled', 'corrected', 'confirmed') AND NOT v_rechecks[i]))
        ), summed AS MATERIALIZED (
            SELECT p_wallet_id AS wallet_id, (v_known[i]).project_id, (v_known[i]).model, (v_known[i]).day,
                   sum(v_charged[i]) AS charged, sum(v_released[i]) AS released, sum(v_ended[i]) AS ended,
                   sum(v_difference[i]) AS difference,
                   count(*) FILTER (WHERE v_outcomes[i] = 'settled' AND p_outcomes[i] = 'succeeded') AS succeeded,
                   count(*) FILTER (WHERE v_outcomes[i] = 'settled' AND p_outcomes[i] <> 'succeeded') AS failed
            FROM generate_series(1, v_count) AS i WHERE v_numbers[i] IS NOT NULL GROUP BY 2, 3, 4
        ), totals AS (
            UPDATE day_total total
            SET succeeded = total.succeeded + summed.succeeded, failed = total.failed + summed.failed,
                reserved_credits = total.reserved_credits + summed.charged + summed.released - summed.ended,
                charged_credits = total.charged_credits + summed.charged,
                released_credits = total.released_credits + summed.released,
                held_credits = total.held_credits - summed.ended,
                price_difference_credits = total.price_difference_credits + summed.difference
            FROM summed
            WHERE total.wallet_id = summed.wallet_id AND total.day = summed.day AND total.project_id = summed.project_id
                AND total.model = summed.model
        ), counters AS (
            UPDATE budget_counter counter
            SET held_credits = counter.held_credits - moved.ended, charged_credits = counter.charged_credits + moved.charged
            FROM (SELECT wallet_id, project_id, period.name AS period, period_start(period.name, day) AS starts_on,
                         sum(ended) AS ended, sum(charged) AS charged
                  FROM summed, (VALUES ('day'), ('month'), ('total')) AS period (name) GROUP BY 1, 2, 3, 4) AS moved
            WHERE counter.wallet_id = moved.wallet_id AND counter.project_id = moved.project_id
                AND counter.period = moved.period AND counter.starts_on = moved.starts_on
        )
        UPDATE wallet_balance b
        SET last_entry_number = v_entry,
            reserved_credits = b.reserved_credits + v_all_charged + v_all_released - v_all_ended,
            charged_credits = b.charged_credits + v_all_charged,
            released_credits = b.released_credits + v_all_released,
            held_credits = b.held_credits - v_all_ended,
            waiting_credits = b.waiting_credits - v_all_waited,
            taken_credits = b.taken_credits + v_all_taken,
            returned_credits = b.returned_credits + v_all_returned
        WHERE b.wallet_id = p_wallet_id;
    END IF;
    IF true = ANY (v_rechecks) THEN
        WITH rechecked AS MATERIALIZED (
            SELECT (v_known[i]).queue_row, p_recheck_ats[i] AS recheck_at
            FROM generate_series(1, v_count) AS i WHERE v_rechecks[i]
        )
        UPDATE task_work work
        SET state = 'settled', due_at = rechecked.recheck_at, leased = false, lease_token = work.lease_token + 1
        FROM rechecked WHERE work.ctid = rechecked.queue_row;
    END IF;
    RETURN QUERY SELECT i::bigint, v_outcomes[i] FROM generate_series(1, v_count) AS i;
END
$$;
