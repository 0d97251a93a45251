-- 0049_one_answer_a_group.sql: what a group is answered comes in one row, what its lines share is put into JSON once, and an acceptance of a
-- task that no worker has taken yet does not first make it a row in the queue, to lock and to change it.
--
-- pgbench, in turns in one hour, groups of 50: to reserve, accept and settle them, before a worker took them, 5.7 ms before and 5.1 ms now;
-- to reserve them of 50 projects 2.9 ms and 2.8 ms.
--
-- Lines first: every text and moment still goes through to_json, those that a group shares once.
CREATE FUNCTION acceptance_line(
    wallet_id bigint, entry_number bigint, task_id uuid, provider_task_id text, held_credits bigint, reserved_credits bigint,
    accepted_at timestamptz, recorded_at json
) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
RETURN concat('["acceptance", ', wallet_id, ', ', entry_number, ', "', task_id, '", ', to_json(provider_task_id), ', ', held_credits, ', ',
    reserved_credits, ', ', to_json(accepted_at AT TIME ZONE 'UTC'), ', ', recorded_at, ']');
CREATE OR REPLACE FUNCTION entry_line(e acceptance) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
RETURN acceptance_line(e.wallet_id, e.entry_number, e.task_id, e.provider_task_id, e.held_credits, e.reserved_credits, e.accepted_at,
    to_json(e.recorded_at AT TIME ZONE 'UTC'));
DROP FUNCTION acceptance_line(bigint, bigint, uuid, text, bigint, bigint, timestamptz, timestamptz);
COMMENT ON FUNCTION acceptance_line IS 'The bytes that stand for an acceptance in the hash chain, from its columns, the moment of recording (UTC) as JSON.';

CREATE FUNCTION settlement_line(
    wallet_id bigint, entry_number bigint, task_id uuid, outcome text, evidence json, reserved_credits bigint, charged_credits bigint,
    released_credits bigint, price_difference_credits bigint, error_code text, resolved_by text, reason text, result_urls jsonb,
    settled_at timestamptz, recorded_at json
) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
RETURN concat('["settlement", ', wallet_id, ', ', entry_number, ', "', task_id, '", ', to_json(outcome), ', ', evidence, ', ',
    reserved_credits, ', ', charged_credits, ', ', released_credits, ', ', price_difference_credits, ', ',
    coalesce(to_json(error_code)::text, 'null'), ', ', coalesce(to_json(resolved_by)::text, 'null'), ', ',
    coalesce(to_json(reason)::text, 'null'), ', ', coalesce(result_urls::text, 'null'), ', ',
    to_json(settled_at AT TIME ZONE 'UTC'), ', ', recorded_at, ']');
CREATE OR REPLACE FUNCTION entry_line(e settlement) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
RETURN settlement_line(e.wallet_id, e.entry_number, e.task_id, e.outcome, to_json(e.evidence), e.reserved_credits, e.charged_credits,
    e.released_credits, e.price_difference_credits, e.error_code, e.resolved_by, e.reason, e.result_urls, e.settled_at,
    to_json(e.recorded_at AT TIME ZONE 'UTC'));
DROP FUNCTION settlement_line(
    bigint, bigint, uuid, text, text, bigint, bigint, bigint, bigint, text, text, text, jsonb, timestamptz, timestamptz);
COMMENT ON FUNCTION settlement_line IS 'The bytes that stand for a settlement in the hash chain, from its columns, the evidence and the moment of recording (UTC) as JSON.';

-- Called by known_tasks() only, and planned as it is.
CREATE FUNCTION leave_groups(p_wallet_id bigint, p_task_ids uuid[]) RETURNS known_task[] LANGUAGE plpgsql AS $$
DECLARE
    v_first   uuid := (SELECT given.task_id FROM unnest(p_task_ids) AS given (task_id) ORDER BY given.task_id LIMIT 1);
    v_last    uuid := (SELECT given.task_id FROM unnest(p_task_ids) AS given (task_id) ORDER BY given.task_id DESC LIMIT 1);
    v_known   known_task[];
    v_numbers bigint[];
    v_number  bigint;
    v_entry   bigint := 0;
    v_group   uuid[];
    v_ours    uuid[];
    v_rest    uuid[];
    v_left    uuid[] := '{}';
BEGIN
    SELECT array_agg(ROW(found.project_id, found.model, found.day, found.amount_credits, NULL, NULL, false, 'queued', 0, false,
                         NULL, NULL, NULL, NULL)::known_task),
           array_agg(found.entry_number)
    INTO v_known, v_numbers
    FROM (
        SELECT hold.*
        FROM unnest(p_task_ids) WITH ORDINALITY AS given (task_id, place)
        LEFT JOIN LATERAL (
            SELECT one.project_id, one.model, one.day, one.amount_credits, one.entry_number FROM reservation one
            WHERE one.wallet_id = p_wallet_id AND one.task_id = given.task_id AND one.task_id BETWEEN v_first AND v_last OFFSET 0
        ) AS hold ON true
        ORDER BY given.place
    ) AS found;
    FOREACH v_number IN ARRAY ARRAY(SELECT number FROM unnest(v_numbers) AS number WHERE number IS NOT NULL ORDER BY number) LOOP
        CONTINUE WHEN v_number <= v_entry;
        -- A claim of the group is waited for: it may have taken what was in it, or all of it, and then this is the next one.
        SELECT waiting.last_entry_number, waiting.task_ids INTO v_entry, v_group
        FROM queued_group waiting
        WHERE waiting.wallet_id = p_wallet_id AND waiting.last_entry_number >= v_number
        ORDER BY waiting.last_entry_number LIMIT 1 FOR UPDATE;
        EXIT WHEN NOT FOUND;
        SELECT array_agg(given.task_id) FILTER (WHERE given.is_ours), array_agg(given.task_id) FILTER (WHERE given.is_ours IS NOT TRUE)
        INTO v_ours, v_rest
        FROM (SELECT waiting.task_id, waiting.task_id IN (SELECT unnest(p_task_ids)) AS is_ours
              FROM unnest(v_group) WITH ORDINALITY AS waiting (task_id, place) ORDER BY waiting.place) AS given;
        CONTINUE WHEN v_ours IS NULL;
        v_left := v_left || v_ours;
        IF v_rest IS NULL THEN
            DELETE FROM queued_group WHERE wallet_id = p_wallet_id AND last_entry_number = v_entry;
        ELSE
            UPDATE queued_group SET task_ids = v_rest WHERE wallet_id = p_wallet_id AND last_entry_number = v_entry;
        END IF;
    END LOOP;
    IF cardinality(v_left) < cardinality(p_task_ids) THEN
        v_known := ARRAY(
            SELECT CASE WHEN given.task_id IN (SELECT unnest(v_left)) THEN v_known[given.place] END
            FROM unnest(p_task_ids) WITH ORDINALITY AS given (task_id, place) ORDER BY given.place);
    END IF;
    RETURN v_known;
END
$$;
COMMENT ON FUNCTION leave_groups IS 'Takes those of the tasks that no worker has taken yet out of the queue, and says what is known of them, null of the others. Whoever calls it does something with them, or puts them back with queue_again().';

DROP FUNCTION queue_alone;
CREATE FUNCTION queue_again(p_wallet_id bigint, p_task_ids uuid[]) RETURNS void LANGUAGE sql AS $$
    INSERT INTO task_work (wallet_id, task_id, state, due_at, project_id, model, day, amount_credits)
    SELECT p_wallet_id, given.task_id, 'queued', least(hold.reserved_at, clock_timestamp()),
           hold.project_id, hold.model, hold.day, hold.amount_credits
    FROM (SELECT DISTINCT named.task_id FROM unnest(p_task_ids) AS named (task_id)) AS given, LATERAL (
        SELECT one.* FROM reservation one WHERE one.wallet_id = p_wallet_id AND one.task_id = given.task_id OFFSET 0
    ) AS hold
$$;
COMMENT ON FUNCTION queue_again IS 'Puts tasks that have left their groups back into the queue, each with a row of its own.';
REVOKE EXECUTE ON FUNCTION leave_groups, queue_again FROM PUBLIC;
GRANT EXECUTE ON FUNCTION leave_groups, queue_again TO usage_service;

CREATE OR REPLACE FUNCTION known_tasks(p_wallet_id bigint, p_task_ids uuid[]) RETURNS known_task[] LANGUAGE plpgsql AS $$
DECLARE
    v_known  known_task[];
    v_open   boolean;
    v_places integer[];    -- of those without a row in the queue
    v_new    known_task[]; -- what is known of them, where they were in a group
    v_first  uuid;
    v_last   uuid;
BEGIN
    -- A claim does not take the wallet's lock: one that commits at this moment is waited for, so that its lease is seen. By key,
    -- as all who write several tasks do, so that none waits for another in a circle. Where one was waited for, its rows are read again.
    LOOP
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
        EXIT WHEN v_new IS NOT NULL;
        v_places := ARRAY(SELECT i FROM generate_series(1, cardinality(p_task_ids)) AS i WHERE (v_known[i]).state IS NULL);
        EXIT WHEN v_places = '{}';
        v_new := leave_groups(p_wallet_id, ARRAY(SELECT p_task_ids[place] FROM unnest(v_places) AS place));
        EXIT WHEN (SELECT bool_and(new.state IS NOT NULL) FROM unnest(v_new) AS new);
    END LOOP;
    IF v_new IS NOT NULL THEN
        FOR i IN 1 .. cardinality(v_places) LOOP
            IF (v_new[i]).state IS NOT NULL THEN
                v_known[v_places[i]] := v_new[i];
            END IF;
        END LOOP;
        IF (SELECT bool_and(coalesce(known.state <> 'settled', false)) FROM unnest(v_known) AS known) THEN
            RETURN v_known;
        END IF;
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
        -- Each by its key (OFFSET 0; an acceptance by the order that only one of its keys has), and only in the partitions between the
        -- first and the last.
        LEFT JOIN LATERAL (
            SELECT one.project_id, one.model, one.day, one.amount_credits FROM reservation one
            WHERE one.wallet_id = p_wallet_id AND one.task_id = queued.task_id AND one.task_id BETWEEN v_first AND v_last OFFSET 0
        ) AS hold ON true
        LEFT JOIN LATERAL (
            SELECT one.entry_number, one.provider_task_id, one.reserved_credits FROM acceptance one
            WHERE one.wallet_id = p_wallet_id AND one.task_id BETWEEN queued.task_id AND queued.task_id ORDER BY one.task_id LIMIT 1
        ) AS taken ON true
        LEFT JOIN LATERAL (
            SELECT one.task_id, one.entry_number, one.outcome, one.charged_credits, one.released_credits FROM settlement one
            WHERE one.wallet_id = p_wallet_id AND one.task_id = queued.task_id AND one.task_id BETWEEN v_first AND v_last OFFSET 0
        ) AS ended ON true
        LEFT JOIN LATERAL (
            SELECT sum(c.charged_credits)::bigint AS charged_credits, sum(c.released_credits)::bigint AS released_credits
            FROM correction c WHERE c.wallet_id = p_wallet_id AND c.task_id = ended.task_id
        ) AS later ON true
        ORDER BY queued.place);
END
$$;
COMMENT ON FUNCTION known_tasks IS 'What is known of tasks, in the order asked for; locks their rows in the queue, and takes those that no worker has taken yet out of it. Whoever calls it has locked the wallet''s row, and puts back with queue_again() what it neither accepts nor ends.';
COMMENT ON TYPE known_task IS 'What is known of a task that is to be accepted or settled: its hold (all null: there is no such task), its acceptance, its place in the queue (no state: it has none; a state and no row: no worker has taken it yet), and how it ended, corrections included (null: it is open).';

-- A row for each answer took 2 us of the server's time, and more of its caller's. And budgets and counters are read once for each project: the
-- planner would keep them in mind for a second time (memoize), which costs as much as a third of reading them.
DROP FUNCTION reserve;
DROP FUNCTION accept;
DROP FUNCTION settle;
CREATE FUNCTION reserve(
    p_wallet_id          bigint,
    p_projects           text[],
    p_models             text[],
    p_parameters         jsonb[],
    p_project_of         integer[],
    p_kind_of            integer[],
    p_task_ids           uuid[],
    p_client_request_ids text[],
    p_request_sha256s    bytea[],
    p_bodies             bytea[],
    p_ats                timestamptz[],
    OUT outcomes         text[],
    OUT task_ids         uuid[],
    OUT amounts_credits  bigint[],
    OUT decided_ats      timestamptz[],
    OUT reasons          jsonb[]       -- null if nothing was refused
) LANGUAGE plpgsql
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET enable_material = off SET enable_memoize = off
    SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    v_count           integer := cardinality(p_task_ids);
    v_balance         wallet_balance%ROWTYPE;
    v_available       bigint;
    v_held            bigint;
    v_entry           bigint;
    v_day             date;
    v_is_one_moment   boolean;
    v_price_ids       bigint[];   -- of each kind
    v_amounts         bigint[];
    v_models          json[];     -- as they are in the lines of entries, and what else the lines of a group share
    v_day_line        json;
    v_recorded_line   json;
    v_project_ids     bigint[];   -- of each project
    v_last            integer[];  -- where its counters end; they begin after those of the project before
    v_remaining       bigint[];   -- what the tightest of its budgets leaves
    v_left_before     bigint[];   -- and left before this group
    v_places          integer[];  -- of each counter: its project's place
    v_counter_project bigint[];
    v_periods         text[];
    v_starts          date[];
    v_charged         bigint[];
    v_counted         bigint[];
    v_limits          bigint[];
    v_rows            tid[];
    v_is_missing      boolean;
    v_is_repeated     boolean[];  -- of each request
    v_numbers         bigint[];
    v_held_after      bigint[];
    v_refused_numbers bigint[];
    v_refused_lines   text[];
    v_lines           text[];     -- of each new entry
    v_recorded        timestamptz;
    v_project         integer;
    v_amount          bigint;
    v_period          text;
    v_added           bigint;
    v_reasons         jsonb;
    v_other           record;     -- what came of one that was not decided now
BEGIN
    -- A project given twice would be held to its budgets twice.
    IF cardinality(p_projects) > 1
        AND (SELECT count(DISTINCT given.slug) FROM unnest(p_projects) AS given (slug)) < cardinality(p_projects) THEN
        RAISE EXCEPTION 'a group names each of its projects once' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    SELECT b.* INTO STRICT v_balance FROM wallet_balance b WHERE b.wallet_id = p_wallet_id FOR UPDATE;
    v_recorded := clock_timestamp();

    -- The prices, at the last of the requests' moments: what was asked on one day, with no new price between, is of one moment.
    SELECT max(moment.day), bool_and(moment.is_one), array_agg(price.price_id), array_agg(price.amount_credits),
           array_agg(to_json(kind.model))
    INTO v_day, v_is_one_moment, v_price_ids, v_amounts, v_models
    FROM (
        SELECT asked.last_at, (asked.last_at AT TIME ZONE wallet.time_zone)::date AS day,
               (asked.first_at AT TIME ZONE wallet.time_zone)::date = (asked.last_at AT TIME ZONE wallet.time_zone)::date
               AND NOT EXISTS (
                   SELECT FROM price
                   WHERE price.wallet_id = p_wallet_id AND price.effective_from > asked.first_at AND price.effective_from <= asked.last_at
               ) AS is_one
        FROM wallet, (SELECT min(given.at) AS first_at, max(given.at) AS last_at FROM unnest(p_ats) AS given (at)) AS asked
        WHERE wallet.wallet_id = p_wallet_id
    ) AS moment, unnest(p_models, p_parameters) AS kind (model, parameters)
    LEFT JOIN LATERAL price_of(p_wallet_id, kind.model, kind.parameters, moment.last_at) AS price ON true;
    -- A group over midnight, or over the beginning of a price, is rare: one after the other.
    IF NOT v_is_one_moment AND v_count > 1 THEN
        FOR i IN 1 .. v_count LOOP
            v_other := reserve(
                p_wallet_id, ARRAY[p_projects[p_project_of[i]]], ARRAY[p_models[p_kind_of[i]]], ARRAY[p_parameters[p_kind_of[i]]],
                ARRAY[1], ARRAY[1], ARRAY[p_task_ids[i]], ARRAY[p_client_request_ids[i]], ARRAY[p_request_sha256s[i]],
                ARRAY[p_bodies[i]], ARRAY[p_ats[i]]);
            outcomes := outcomes || v_other.outcomes;
            task_ids := task_ids || v_other.task_ids;
            amounts_credits := amounts_credits || v_other.amounts_credits;
            decided_ats := decided_ats || v_other.decided_ats;
            IF v_other.reasons IS NOT NULL THEN
                reasons := coalesce(reasons, array_fill(NULL::jsonb, ARRAY[v_count]));
                reasons[i] := v_other.reasons[1];
            END IF;
        END LOOP;
        RETURN;
    END IF;

    -- The projects and their counters, in the order of the projects, each by its key (OFFSET 0). Where a budget has no counter yet, it
    -- is made from the day totals, and read again.
    LOOP
        SELECT array_agg(asked.place), array_agg(project.project_id), array_agg(budget.period),
               array_agg(period_start(budget.period, v_day)), array_agg(counter.charged_credits),
               array_agg(counter.held_credits + counter.charged_credits), array_agg(budget.limit_credits),
               array_agg(counter.counter_row), bool_or(budget.period IS NOT NULL AND counter.counter_row IS NULL)
        INTO v_places, v_counter_project, v_periods, v_starts, v_charged, v_counted, v_limits, v_rows, v_is_missing
        FROM unnest(p_projects) WITH ORDINALITY AS asked (slug, place)
        LEFT JOIN LATERAL (
            SELECT one.project_id FROM project one WHERE one.wallet_id = p_wallet_id AND one.slug = asked.slug OFFSET 0
        ) AS project ON true
        LEFT JOIN LATERAL (
            SELECT one.period, one.limit_credits FROM budget one
            WHERE one.wallet_id = p_wallet_id AND one.project_id = project.project_id OFFSET 0
        ) AS budget ON true
        LEFT JOIN LATERAL (
            SELECT one.ctid AS counter_row, one.held_credits, one.charged_credits FROM budget_counter one
            WHERE one.wallet_id = p_wallet_id AND one.project_id = project.project_id AND one.period = budget.period
                AND one.starts_on = period_start(budget.period, v_day) OFFSET 0
        ) AS counter ON true;
        EXIT WHEN NOT v_is_missing;

        INSERT INTO budget_counter (wallet_id, project_id, period, starts_on, held_credits, charged_credits)
        SELECT p_wallet_id, needed.project_id, needed.period, needed.starts_on,
               coalesce(sum(spent.held_credits), 0), coalesce(sum(spent.charged_credits), 0)
        FROM unnest(v_counter_project, v_periods, v_starts, v_counted) AS needed (project_id, period, starts_on, counted)
        LEFT JOIN day_total spent ON spent.wallet_id = p_wallet_id AND spent.project_id = needed.project_id
            AND spent.day >= needed.starts_on AND spent.day < coalesce(period_end(needed.period, needed.starts_on), 'infinity')
        WHERE needed.period IS NOT NULL AND needed.counted IS NULL
        GROUP BY needed.project_id, needed.period, needed.starts_on;
    END LOOP;
    FOR i IN 1 .. cardinality(v_places) LOOP
        v_project_ids[v_places[i]] := v_counter_project[i];
        v_last[v_places[i]] := i;
        v_remaining[v_places[i]] := least(v_remaining[v_places[i]], v_limits[i] - v_counted[i], 9223372036854775807);
    END LOOP;
    v_left_before := v_remaining;

    v_day_line := to_json(v_day);
    v_recorded_line := to_json(v_recorded AT TIME ZONE 'UTC');
    task_ids := p_task_ids;
    decided_ats := p_ats;
    -- The decision, in the order in which they came, and the names of those that were decided. Where somebody asks again, only the
    -- first with a name is decided, and only where no answer exists yet: that is the exception, and is met by the key of names.
    LOOP
        v_available := available_credits(v_balance);
        v_held := v_balance.held_credits;
        v_entry := v_balance.last_entry_number;
        v_remaining := v_left_before;
        v_numbers := array_fill(NULL::bigint, ARRAY[v_count]);
        v_held_after := v_numbers;
        amounts_credits := v_numbers;
        outcomes := array_fill(NULL::text, ARRAY[v_count]);
        reasons := NULL;
        v_lines := NULL;
        FOR i IN 1 .. v_count LOOP
            v_project := p_project_of[i];
            v_amount := v_amounts[p_kind_of[i]];
            CONTINUE WHEN v_amount IS NULL OR v_project_ids[v_project] IS NULL OR v_is_repeated[i];
            v_entry := v_entry + 1;
            v_numbers[i] := v_entry;
            amounts_credits[i] := v_amount;
            IF v_balance.gate IS NULL AND v_amount <= v_available AND v_amount <= v_remaining[v_project] THEN
                v_available := v_available - v_amount;
                v_remaining[v_project] := v_remaining[v_project] - v_amount;
                v_held := v_held + v_amount;
                v_held_after[i] := v_held;
                outcomes[i] := 'reserved';
                v_lines[v_entry - v_balance.last_entry_number] := reservation_line(p_wallet_id, v_entry, p_task_ids[i],
                    v_project_ids[v_project], v_models[p_kind_of[i]], v_price_ids[p_kind_of[i]], v_amount, v_held, v_day_line,
                    to_json(p_ats[i] AT TIME ZONE 'UTC'), v_recorded_line);
                CONTINUE;
            END IF;

            v_added := v_left_before[v_project] - v_remaining[v_project];
            v_reasons := '[]';
            FOREACH v_period IN ARRAY ARRAY['day', 'month', 'total'] LOOP
                FOR c IN coalesce(v_last[v_project - 1], 0) + 1 .. v_last[v_project] LOOP
                    IF v_periods[c] = v_period AND v_counted[c] + v_added + v_amount > v_limits[c] THEN
                        v_reasons := v_reasons || jsonb_build_object(
                            'ceiling', 'project_' || v_period,
                            'limit_credits', v_limits[c],
                            'charged_credits', v_charged[c],
                            'held_credits', v_counted[c] + v_added - v_charged[c],
                            'remaining_credits', greatest(v_limits[c] - v_counted[c] - v_added, 0),
                            'resets_on', period_end(v_period, v_starts[c]));
                    END IF;
                END LOOP;
            END LOOP;
            IF v_balance.gate IS NOT NULL THEN
                v_reasons := v_reasons || jsonb_build_object(
                    'ceiling', 'wallet_gate', 'cause', v_balance.gate,
                    'needed_credits', v_balance.gate_needed_credits, 'remaining_credits', greatest(v_available, 0),
                    'reading_credits', v_balance.reading_credits,
                    'reading_age_seconds', reading_age_seconds(v_balance.read_at, p_ats[i]));
            ELSIF v_amount > v_available THEN
                v_reasons := v_reasons || jsonb_build_object(
                    'ceiling', 'wallet', 'reading_credits', v_balance.reading_credits,
                    'held_credits', v_balance.reading_credits - v_available,
                    'remaining_credits', greatest(v_available, 0),
                    'reading_age_seconds', reading_age_seconds(v_balance.read_at, p_ats[i]));
            END IF;
            outcomes[i] := 'refused';
            reasons := coalesce(reasons, array_fill(NULL::jsonb, ARRAY[v_count]));
            reasons[i] := v_reasons;
        END LOOP;
        BEGIN
            INSERT INTO client_request (wallet_id, client_request_id, task_id, request_sha256, body)
            SELECT p_wallet_id, p_client_request_ids[i], p_task_ids[i], p_request_sha256s[i],
                   CASE WHEN v_held_after[i] IS NOT NULL THEN p_bodies[i] END
            FROM generate_series(1, v_count) AS i WHERE v_numbers[i] IS NOT NULL;
            EXIT;
        EXCEPTION WHEN unique_violation THEN
            IF v_is_repeated IS NOT NULL THEN
                RAISE;
            END IF;
            v_is_repeated := ARRAY(
                SELECT asked.turn > 1
                    OR (SELECT known.task_id FROM client_request known
                        WHERE known.wallet_id = p_wallet_id AND known.client_request_id = asked.client_request_id) IS NOT NULL
                FROM (SELECT i AS place, p_client_request_ids[i] AS client_request_id,
                             row_number() OVER (PARTITION BY p_client_request_ids[i],
                                                    num_nulls(v_amounts[p_kind_of[i]], v_project_ids[p_project_of[i]]) = 0 ORDER BY i) AS turn
                      FROM generate_series(1, v_count) AS i) AS asked
                ORDER BY asked.place);
        END;
    END LOOP;

    IF reasons IS NOT NULL THEN
        WITH turned_away AS (
            INSERT INTO refusal (wallet_id, task_id, entry_number, project_id, model, amount_credits, day, reasons,
                                 client_request_id, refused_at, recorded_at)
            SELECT p_wallet_id, p_task_ids[i], v_numbers[i], v_project_ids[p_project_of[i]], p_models[p_kind_of[i]],
                   v_amounts[p_kind_of[i]], v_day, reasons[i], p_client_request_ids[i], p_ats[i], v_recorded
            FROM generate_series(1, v_count) AS i WHERE outcomes[i] = 'refused'
            RETURNING entry_number, entry_line(refusal) AS line
        )
        SELECT array_agg(turned_away.entry_number), array_agg(line) INTO v_refused_numbers, v_refused_lines FROM turned_away;
        FOR i IN 1 .. cardinality(v_refused_numbers) LOOP
            v_lines[v_refused_numbers[i] - v_balance.last_entry_number] := v_refused_lines[i];
        END LOOP;
    END IF;

    IF array_position(p_bodies, NULL) IS NOT NULL THEN
        INSERT INTO task_work (wallet_id, task_id, state, project_id, model, day, amount_credits)
        SELECT p_wallet_id, p_task_ids[i], 'queued', v_project_ids[p_project_of[i]], p_models[p_kind_of[i]], v_day,
               v_amounts[p_kind_of[i]]
        FROM generate_series(1, v_count) AS i WHERE v_held_after[i] IS NOT NULL AND p_bodies[i] IS NULL;
    END IF;
    WITH admitted AS MATERIALIZED (
        SELECT i FROM generate_series(1, v_count) AS i WHERE v_held_after[i] IS NOT NULL
    ), queued AS (
        -- A hundred to a row, so that several workers find something at once.
        INSERT INTO queued_group (wallet_id, last_entry_number, due_at, task_ids)
        SELECT p_wallet_id, max(v_numbers[i]), least(min(p_ats[i]), clock_timestamp()), array_agg(p_task_ids[i])
        FROM admitted WHERE p_bodies[i] IS NOT NULL GROUP BY (i - 1) / 100
    ), held AS (
        INSERT INTO reservation (wallet_id, task_id, entry_number, project_id, model, price_id, amount_credits,
                                 wallet_held_credits, day, client_request_id, reserved_at, recorded_at)
        SELECT p_wallet_id, p_task_ids[i], v_numbers[i], v_project_ids[p_project_of[i]], p_models[p_kind_of[i]],
               v_price_ids[p_kind_of[i]], v_amounts[p_kind_of[i]], v_held_after[i], v_day, p_client_request_ids[i], p_ats[i], v_recorded
        FROM admitted
    ), linked AS (
        INSERT INTO entry_link SELECT * FROM entry_links(p_wallet_id, v_balance.last_entry_number + 1, v_lines)
    ), counted AS (
        INSERT INTO day_total AS total (wallet_id, day, project_id, model, tasks, refused, reserved_credits, held_credits)
        SELECT p_wallet_id, v_day, decided.project_id, decided.model, count(decided.held), count(*) - count(decided.held),
               coalesce(sum(decided.held), 0), coalesce(sum(decided.held), 0)
        FROM (SELECT v_project_ids[p_project_of[i]] AS project_id, p_models[p_kind_of[i]] AS model,
                     CASE WHEN v_held_after[i] IS NOT NULL THEN v_amounts[p_kind_of[i]] END AS held
              FROM generate_series(1, v_count) AS i WHERE v_numbers[i] IS NOT NULL) AS decided
        GROUP BY decided.project_id, decided.model
        ON CONFLICT ON CONSTRAINT day_total_key DO UPDATE SET
            tasks = total.tasks + excluded.tasks, refused = total.refused + excluded.refused,
            reserved_credits = total.reserved_credits + excluded.reserved_credits,
            held_credits = total.held_credits + excluded.held_credits
    ), moved AS MATERIALIZED (
        SELECT v_rows[c] AS counter_row, v_left_before[v_places[c]] - v_remaining[v_places[c]] AS credits
        FROM generate_subscripts(v_places, 1) AS c
        WHERE v_periods[c] IS NOT NULL AND v_remaining[v_places[c]] < v_left_before[v_places[c]]
    ), used AS (
        UPDATE budget_counter counter SET held_credits = counter.held_credits + moved.credits
        FROM moved WHERE counter.ctid = moved.counter_row
    )
    UPDATE wallet_balance b
    SET last_entry_number = v_entry,
        reserved_credits = b.reserved_credits + v_held - v_balance.held_credits,
        waiting_credits = b.waiting_credits + v_held - v_balance.held_credits,
        held_credits = v_held
    WHERE b.wallet_id = p_wallet_id AND v_entry > v_balance.last_entry_number;
    IF v_entry = v_balance.last_entry_number + v_count THEN
        RETURN;
    END IF;

    -- The others: the first answer that their name had, if any.
    FOR v_other IN
        SELECT asked.place,
               CASE WHEN first.task_id IS NULL AND asked.project_id IS NULL THEN 'unknown_project'
                    WHEN first.task_id IS NULL THEN 'unpriced'
                    WHEN first.request_sha256 <> p_request_sha256s[asked.place] THEN 'conflict'
                    WHEN hold.task_id IS NOT NULL THEN 'reserved'
                    ELSE 'refused' END AS outcome,
               first.task_id, coalesce(hold.amount_credits, turned_away.amount_credits) AS amount_credits,
               coalesce(hold.reserved_at, turned_away.refused_at) AS decided_at, turned_away.reasons
        FROM (SELECT i AS place, v_project_ids[p_project_of[i]] AS project_id, p_client_request_ids[i] AS client_request_id
              FROM generate_series(1, v_count) AS i WHERE v_numbers[i] IS NULL) AS asked
        LEFT JOIN client_request first
            ON first.wallet_id = p_wallet_id AND first.client_request_id = asked.client_request_id
        LEFT JOIN reservation hold ON hold.wallet_id = p_wallet_id AND hold.task_id = first.task_id
        LEFT JOIN refusal turned_away ON turned_away.wallet_id = p_wallet_id AND turned_away.task_id = first.task_id
    LOOP
        outcomes[v_other.place] := v_other.outcome;
        task_ids[v_other.place] := v_other.task_id;
        amounts_credits[v_other.place] := v_other.amount_credits;
        decided_ats[v_other.place] := v_other.decided_at;
        IF v_other.reasons IS NOT NULL THEN
            reasons := coalesce(reasons, array_fill(NULL::jsonb, ARRAY[v_count]));
            reasons[v_other.place] := v_other.reasons;
        END IF;
    END LOOP;
END
$$;

-- A fact of the provider's is booked whoever brings it, so no lease is asked for. A hold grows or shrinks to what was
-- taken, whatever the limit: the credits are gone. Where a person had ended the hold before, nothing is held any more;
-- the task is followed to its end and what comes of it is a correction.
CREATE FUNCTION accept(
    p_wallet_id         bigint,
    p_task_ids          uuid[],
    p_provider_task_ids text[],
    p_reserved_credits  bigint[],
    p_accepted_ats      timestamptz[],
    p_due_ats           timestamptz[]
) RETURNS text[] LANGUAGE plpgsql
    SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off
    SET enable_hashjoin = off SET enable_mergejoin = off SET enable_material = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
    v_count       integer := cardinality(p_task_ids);
    v_recorded    timestamptz;
    v_recorded_line json;     -- the same, as it is in the lines of entries
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
    v_is_rowless  boolean;
BEGIN
    SELECT b.last_entry_number INTO STRICT v_before FROM wallet_balance b WHERE b.wallet_id = p_wallet_id FOR UPDATE;
    v_known := known_tasks(p_wallet_id, p_task_ids);
    v_recorded := clock_timestamp();
    v_recorded_line := to_json(v_recorded AT TIME ZONE 'UTC');
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
        v_is_rowless := false;
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
                v_task.amount_credits, v_taken[i], p_accepted_ats[i], v_recorded_line);
            -- Without what the books already count as taken for it: a person may have charged it.
            v_all_taken := v_all_taken + v_taken[i] - coalesce(v_task.charged_credits, 0);
            IF v_task.ended_as IS NULL THEN
                v_all_waited := v_all_waited + v_task.amount_credits;
                v_all_differs := v_all_differs + v_taken[i] - v_task.amount_credits;
                v_is_changed := v_is_changed OR v_taken[i] <> v_task.amount_credits;
            END IF;
            v_is_rowless := v_is_rowless OR v_task.queue_row IS NULL;
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
            -- So that one which cannot be accepted stays in the queue.
            IF v_is_rowless THEN
                PERFORM queue_again(p_wallet_id, ARRAY(
                    SELECT p_task_ids[i] FROM generate_series(1, v_count) AS i
                    WHERE (v_known[i]).state IS NOT NULL AND (v_known[i]).queue_row IS NULL));
                v_known := known_tasks(p_wallet_id, p_task_ids);
            END IF;
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
    IF v_is_rowless THEN
        -- No worker has taken it yet. Or a person's act had taken its row away: then the entry's number is beyond every lease that it has had.
        INSERT INTO task_work (wallet_id, task_id, state, due_at, lease_token, first_sent_at, accepted_at, provider_task_id,
                               project_id, model, day, amount_credits, reserved_credits)
        SELECT p_wallet_id, p_task_ids[i], CASE WHEN (v_known[i]).ended_as IS NULL THEN 'accepted' ELSE 'settled' END, p_due_ats[i],
               coalesce((v_known[i]).lease_token + 1, v_numbers[i]), p_accepted_ats[i], p_accepted_ats[i], p_provider_task_ids[i],
               (v_known[i]).project_id, (v_known[i]).model, (v_known[i]).day, (v_known[i]).amount_credits, v_taken[i]
        FROM generate_series(1, v_count) AS i WHERE v_numbers[i] IS NOT NULL AND (v_known[i]).queue_row IS NULL;
    END IF;
    IF v_is_changed THEN
        WITH difference AS MATERIALIZED (
            SELECT (v_known[i]).project_id, (v_known[i]).model, (v_known[i]).day,
                   sum(v_taken[i] - (v_known[i]).amount_credits) AS credits
            FROM generate_series(1, v_count) AS i WHERE v_numbers[i] IS NOT NULL AND (v_known[i]).ended_as IS NULL
            GROUP BY 1, 2, 3
        ), changed AS MATERIALIZED (
            SELECT credits,
                   (SELECT known.ctid FROM day_total known
                    WHERE known.wallet_id = p_wallet_id AND known.day = difference.day AND known.project_id = difference.project_id
                        AND known.model = difference.model) AS total_row
            FROM difference
        ), totals AS (
            UPDATE day_total total
            SET reserved_credits = total.reserved_credits + changed.credits,
                held_credits = total.held_credits + changed.credits
            FROM changed WHERE total.ctid = changed.total_row
        ), moved AS MATERIALIZED (
            SELECT used.credits,
                   (SELECT known.ctid FROM budget_counter known
                    WHERE known.wallet_id = p_wallet_id AND known.project_id = used.project_id AND known.period = used.period
                        AND known.starts_on = used.starts_on) AS counter_row
            FROM (SELECT project_id, period.name AS period, period_start(period.name, day) AS starts_on, sum(credits) AS credits
                  FROM difference, (VALUES ('day'), ('month'), ('total')) AS period (name) GROUP BY 1, 2, 3) AS used
        )
        UPDATE budget_counter counter SET held_credits = counter.held_credits + moved.credits
        FROM moved WHERE counter.ctid = moved.counter_row;
    END IF;
    RETURN v_outcomes;
END
$$;

CREATE FUNCTION settle(
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
) RETURNS text[] LANGUAGE plpgsql
    SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off
    SET enable_hashjoin = off SET enable_mergejoin = off SET enable_material = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
    v_count        integer := cardinality(p_task_ids);
    v_recorded     timestamptz;
    v_recorded_line json;      -- the same, as it is in the lines of entries
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
    v_is_left      boolean := false;
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
    v_recorded_line := to_json(v_recorded AT TIME ZONE 'UTC');
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
        IF v_outcomes[i] NOT IN ('settled', 'corrected', 'confirmed') THEN
            v_is_left := v_is_left OR v_task.state IS NOT NULL AND v_task.queue_row IS NULL;
            CONTINUE;
        END IF;
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
                CASE WHEN p_resolved_bys[i] IS NULL THEN '"provider"'::json ELSE '"person"' END,
                v_charged[i] + v_released[i], v_charged[i], v_released[i], v_difference[i], p_error_codes[i], p_resolved_bys[i], p_reasons[i], p_result_urls[i],
                p_settled_ats[i], v_recorded_line);
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
            SELECT (v_known[i]).project_id, (v_known[i]).model, (v_known[i]).day,
                   sum(v_charged[i]) AS charged, sum(v_released[i]) AS released, sum(v_ended[i]) AS ended,
                   sum(v_difference[i]) AS difference,
                   count(*) FILTER (WHERE v_outcomes[i] = 'settled' AND p_outcomes[i] = 'succeeded') AS succeeded,
                   count(*) FILTER (WHERE v_outcomes[i] = 'settled' AND p_outcomes[i] <> 'succeeded') AS failed
            FROM generate_series(1, v_count) AS i WHERE v_numbers[i] IS NOT NULL GROUP BY 1, 2, 3
        ), booked AS MATERIALIZED (
            SELECT summed.*,
                   (SELECT known.ctid FROM day_total known
                    WHERE known.wallet_id = p_wallet_id AND known.day = summed.day AND known.project_id = summed.project_id
                        AND known.model = summed.model) AS total_row
            FROM summed
        ), totals AS (
            UPDATE day_total total
            SET succeeded = total.succeeded + booked.succeeded, failed = total.failed + booked.failed,
                reserved_credits = total.reserved_credits + booked.charged + booked.released - booked.ended,
                charged_credits = total.charged_credits + booked.charged,
                released_credits = total.released_credits + booked.released,
                held_credits = total.held_credits - booked.ended,
                price_difference_credits = total.price_difference_credits + booked.difference
            FROM booked WHERE total.ctid = booked.total_row
        ), moved AS MATERIALIZED (
            SELECT used.ended, used.charged,
                   (SELECT known.ctid FROM budget_counter known
                    WHERE known.wallet_id = p_wallet_id AND known.project_id = used.project_id AND known.period = used.period
                        AND known.starts_on = used.starts_on) AS counter_row
            FROM (SELECT project_id, period.name AS period, period_start(period.name, day) AS starts_on,
                         sum(ended) AS ended, sum(charged) AS charged
                  FROM summed, (VALUES ('day'), ('month'), ('total')) AS period (name) GROUP BY 1, 2, 3) AS used
        ), counters AS (
            UPDATE budget_counter counter
            SET held_credits = counter.held_credits - moved.ended, charged_credits = counter.charged_credits + moved.charged
            FROM moved WHERE counter.ctid = moved.counter_row
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
    IF v_is_left THEN
        PERFORM queue_again(p_wallet_id, ARRAY(
            SELECT p_task_ids[i] FROM generate_series(1, v_count) AS i
            WHERE (v_known[i]).state IS NOT NULL AND (v_known[i]).queue_row IS NULL
            EXCEPT
            SELECT p_task_ids[i] FROM generate_series(1, v_count) AS i WHERE v_numbers[i] IS NOT NULL));
    END IF;
    RETURN v_outcomes;
END
$$;
COMMENT ON FUNCTION reserve IS 'The guard: decides a group of requests in the order given, in one transaction. Projects and kinds (model and parameters) are given once; p_project_of and p_kind_of say for each request which. Answers each, in the order given: reserved, refused, conflict, unpriced or unknown_project.';
COMMENT ON FUNCTION accept IS 'Books that the provider accepted a group of tasks; answers each, in the order given: accepted, already_accepted, other_provider_task, provider_task_of_another or unknown_task.';
COMMENT ON FUNCTION settle IS 'Ends the holds of a group of tasks; answers each, in the order given: settled, corrected, confirmed, already_settled, already_accepted, being_sent, fenced or unknown_task.';
REVOKE EXECUTE ON FUNCTION reserve, accept, settle FROM PUBLIC;
GRANT EXECUTE ON FUNCTION reserve, accept, settle TO usage_service;
