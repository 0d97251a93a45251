-- 0048_two_rows_a_reservation.sql: a reservation writes two rows of its own, its entry and its name, and no longer four.
--
-- The request's bytes lie beside its name, and not in a table with a key of their own. A task that no worker has taken yet has no row
-- in the queue: it waits in one row for up to a hundred that were reserved together, and the claim that takes it makes its row. Together
-- they were a quarter of what a reservation costs in a group of 500, and a seventh in one of 50. And the lines of a group's entries share
-- what is equal in them.
ALTER TABLE client_request ADD COLUMN body bytea, ADD CONSTRAINT client_request_body_length CHECK (length(body) BETWEEN 2 AND 1048576);
UPDATE client_request asked SET body = request.body
FROM task_request request WHERE request.wallet_id = asked.wallet_id AND request.task_id = asked.task_id;
DROP TABLE task_request;
COMMENT ON TABLE client_request IS 'The first answer to each request of a caller: a task with a reservation, or a refusal. Rows are added; a body that waits for its uploads is filled in once, and nothing else is ever changed.';
COMMENT ON COLUMN client_request.body IS 'The exact bytes of the task''s create request, JSON, at most 1 MiB, stored before the first is sent: every resend is byte-identical. Null: refused, or the references are not uploaded yet.';

CREATE VIEW stored_request AS SELECT wallet_id, task_id FROM client_request WHERE body IS NOT NULL;
COMMENT ON VIEW stored_request IS 'The tasks whose requests are stored: all that proofs need to know of them.';
GRANT SELECT ON stored_request TO usage_report;

CREATE FUNCTION store_request(p_wallet_id bigint, p_task_id uuid, p_body bytea, p_at timestamptz) RETURNS boolean LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp
    SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off
AS $$
BEGIN
    UPDATE client_request asked SET body = p_body
    FROM task_work work JOIN reservation hold USING (wallet_id, task_id)
    WHERE work.wallet_id = p_wallet_id AND work.task_id = p_task_id AND work.state = 'queued' AND work.due_at IS NULL
        AND asked.wallet_id = p_wallet_id AND asked.client_request_id = hold.client_request_id AND asked.body IS NULL;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    UPDATE task_work SET due_at = least(p_at, clock_timestamp()) WHERE wallet_id = p_wallet_id AND task_id = p_task_id;
    IF NOT FOUND THEN
        -- A person has ended it meanwhile.
        RETURN false;
    END IF;
    PERFORM pg_notify('usage_work', p_wallet_id::text);
    RETURN true;
END
$$;
COMMENT ON FUNCTION store_request IS 'Gives a task that waits for its references its request, once, and lets it be sent; false if it has one, or does not wait for it.';
REVOKE EXECUTE ON FUNCTION store_request FROM PUBLIC;
GRANT EXECUTE ON FUNCTION store_request TO usage_service;

CREATE TABLE queued_group (
    wallet_id         bigint      NOT NULL,
    last_entry_number bigint      NOT NULL,
    due_at            timestamptz NOT NULL,
    task_ids          uuid[]      NOT NULL,
    CONSTRAINT queued_group_key PRIMARY KEY (wallet_id, last_entry_number),
    CONSTRAINT queued_group_size CHECK (cardinality(task_ids) BETWEEN 1 AND 100)
);
COMMENT ON TABLE queued_group IS 'Tasks that no worker has taken yet, those that were reserved together in one row. It goes when all are taken.';
COMMENT ON COLUMN queued_group.last_entry_number IS 'Of the last reservation among those that were put here; no row has entries between those of another.';
COMMENT ON COLUMN queued_group.due_at IS 'Since when they wait.';
COMMENT ON COLUMN queued_group.task_ids IS 'Those that are still here, in the order of their entries.';
GRANT SELECT ON queued_group TO usage_service, usage_report;
GRANT INSERT, UPDATE, DELETE ON queued_group TO usage_service;

-- What the lines of a group share is put into JSON once.
CREATE FUNCTION reservation_line(
    wallet_id bigint, entry_number bigint, task_id uuid, project_id bigint, model json, price_id bigint, amount_credits bigint,
    wallet_held_credits bigint, day json, reserved_at json, recorded_at json
) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
RETURN concat('["reservation", ', wallet_id, ', ', entry_number, ', "', task_id, '", ', project_id, ', ', model, ', ', price_id, ', ',
    amount_credits, ', ', wallet_held_credits, ', ', day, ', ', reserved_at, ', ', recorded_at, ']');
CREATE OR REPLACE FUNCTION entry_line(e reservation) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
RETURN reservation_line(e.wallet_id, e.entry_number, e.task_id, e.project_id, to_json(e.model), e.price_id, e.amount_credits,
    e.wallet_held_credits, to_json(e.day), to_json(e.reserved_at AT TIME ZONE 'UTC'), to_json(e.recorded_at AT TIME ZONE 'UTC'));
DROP FUNCTION reservation_line(bigint, bigint, uuid, bigint, text, bigint, bigint, bigint, date, timestamptz, timestamptz);
COMMENT ON FUNCTION reservation_line IS 'The bytes that stand for a reservation in the hash chain, from its columns, texts and moments (UTC) as JSON.';

-- As before, for a table less.
CREATE OR REPLACE FUNCTION make_partitions(p_from timestamptz, p_until timestamptz) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    v_tables    text[] := ARRAY['refusal', 'reservation', 'settlement'];
    v_first     timestamp := date_trunc('month', p_from AT TIME ZONE 'UTC');
    v_last      timestamp := date_trunc('month', p_until AT TIME ZONE 'UTC');
    v_is_moving boolean;
    v_table     text;
    v_name      text;
    v_month     timestamp;
    v_least     uuid;
    v_end       uuid;
    v_made      integer := 0;
BEGIN
    IF NOT EXISTS (
        SELECT FROM generate_series(v_first, v_last, interval '1 month') AS month, unnest(v_tables) AS name
        WHERE to_regclass(name || to_char(month, '_YYYY_MM')) IS NULL
    ) THEN
        RETURN 0;
    END IF;
    -- All locks are taken before any work, in the order in which reserve() comes to the tables, so that the two do not wait for each other.
    -- Where rows wait for their month, the tables are locked as wholes, since every plan begins there.
    v_is_moving := is_a_month_waited_for(v_first, v_last);
    IF v_is_moving THEN
        LOCK TABLE ONLY refusal, ONLY reservation, ONLY settlement;
    END IF;
    LOCK TABLE refusal_default, reservation_default, settlement_default;
    IF NOT v_is_moving AND is_a_month_waited_for(v_first, v_last) THEN
        RAISE EXCEPTION 'rows have come that wait for their month' USING ERRCODE = 'lock_not_available', HINT = 'Make the partitions again.';
    END IF;
    FOR v_month IN SELECT generate_series(v_first, v_last, interval '1 month') LOOP
        v_least := least_task_id(v_month AT TIME ZONE 'UTC');
        v_end := least_task_id((v_month + interval '1 month') AT TIME ZONE 'UTC');
        FOREACH v_table IN ARRAY v_tables LOOP
            v_name := v_table || to_char(v_month, '_YYYY_MM');
            CONTINUE WHEN to_regclass(v_name) IS NOT NULL;
            -- Attached when it is complete: unless rows move, that locks nobody out who reads or adds rows of other months.
            EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', v_name, v_table);
            EXECUTE format('WITH moved AS (DELETE FROM %I WHERE task_id >= %L AND task_id < %L RETURNING *) INSERT INTO %I SELECT * FROM moved',
                           v_table || '_default', v_least, v_end, v_name);
            EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', v_table, v_name, v_least, v_end);
            EXECUTE format('COMMENT ON TABLE %I IS %L', v_name, format('Rows of %s whose tasks were made in %s.', v_table, to_char(v_month, 'YYYY-MM')));
            v_made := v_made + 1;
        END LOOP;
    END LOOP;
    RETURN v_made;
END
$$;

CREATE OR REPLACE FUNCTION is_a_month_waited_for(p_first timestamp, p_last timestamp) RETURNS boolean LANGUAGE sql AS $$
    SELECT EXISTS (
        SELECT FROM (
            SELECT task_id FROM refusal_default UNION ALL SELECT task_id FROM reservation_default
            UNION ALL SELECT task_id FROM settlement_default
        ) AS waiting
        WHERE task_id >= least_task_id(p_first AT TIME ZONE 'UTC')
            AND task_id < least_task_id((p_last + interval '1 month') AT TIME ZONE 'UTC'))
$$;

CREATE OR REPLACE FUNCTION reserve(
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
    p_ats                timestamptz[]
) RETURNS TABLE (
    place integer, outcome text, task_id uuid, entry_number bigint, amount_credits bigint, decided_at timestamptz, reasons jsonb
) LANGUAGE plpgsql
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET enable_material = off SET jit = off
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
    v_refusals        jsonb[];
    v_refused_numbers bigint[];
    v_refused_lines   text[];
    v_lines           text[];     -- of each new entry
    v_recorded        timestamptz;
    v_project         integer;
    v_amount          bigint;
    v_period          text;
    v_added           bigint;
    v_reasons         jsonb;
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
            RETURN QUERY
            SELECT i, alone.outcome, alone.task_id, alone.entry_number, alone.amount_credits, alone.decided_at, alone.reasons
            FROM reserve(p_wallet_id, ARRAY[p_projects[p_project_of[i]]], ARRAY[p_models[p_kind_of[i]]],
                         ARRAY[p_parameters[p_kind_of[i]]], ARRAY[1], ARRAY[1], ARRAY[p_task_ids[i]], ARRAY[p_client_request_ids[i]],
                         ARRAY[p_request_sha256s[i]], ARRAY[p_bodies[i]], ARRAY[p_ats[i]]) AS alone;
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
    -- The decision, in the order in which they came, and the names of those that were decided. Where somebody asks again, only the
    -- first with a name is decided, and only where no answer exists yet: that is the exception, and is met by the key of names.
    LOOP
        v_available := available_credits(v_balance);
        v_held := v_balance.held_credits;
        v_entry := v_balance.last_entry_number;
        v_remaining := v_left_before;
        v_numbers := array_fill(NULL::bigint, ARRAY[v_count]);
        v_held_after := v_numbers;
        v_refusals := NULL;
        v_lines := NULL;
        FOR i IN 1 .. v_count LOOP
            v_project := p_project_of[i];
            v_amount := v_amounts[p_kind_of[i]];
            CONTINUE WHEN v_amount IS NULL OR v_project_ids[v_project] IS NULL OR v_is_repeated[i];
            v_entry := v_entry + 1;
            v_numbers[i] := v_entry;
            IF v_balance.gate IS NULL AND v_amount <= v_available AND v_amount <= v_remaining[v_project] THEN
                v_available := v_available - v_amount;
                v_remaining[v_project] := v_remaining[v_project] - v_amount;
                v_held := v_held + v_amount;
                v_held_after[i] := v_held;
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
            v_refusals[i] := v_reasons;
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

    IF v_refusals IS NOT NULL THEN
        WITH turned_away AS (
            INSERT INTO refusal (wallet_id, task_id, entry_number, project_id, model, amount_credits, day, reasons,
                                 client_request_id, refused_at, recorded_at)
            SELECT p_wallet_id, p_task_ids[i], v_numbers[i], v_project_ids[p_project_of[i]], p_models[p_kind_of[i]],
                   v_amounts[p_kind_of[i]], v_day, v_refusals[i], p_client_request_ids[i], p_ats[i], v_recorded
            FROM generate_series(1, v_count) AS i WHERE v_refusals[i] IS NOT NULL
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
    -- The rows, and the answers to those just decided.
    RETURN QUERY
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
    ), balance AS (
        UPDATE wallet_balance b
        SET last_entry_number = v_entry,
            reserved_credits = b.reserved_credits + v_held - v_balance.held_credits,
            waiting_credits = b.waiting_credits + v_held - v_balance.held_credits,
            held_credits = v_held
        WHERE b.wallet_id = p_wallet_id AND v_entry > v_balance.last_entry_number
    )
    SELECT i, CASE WHEN v_held_after[i] IS NOT NULL THEN 'reserved' ELSE 'refused' END, p_task_ids[i], v_numbers[i],
           v_amounts[p_kind_of[i]], p_ats[i], v_refusals[i]
    FROM generate_series(1, v_count) AS i WHERE v_numbers[i] IS NOT NULL;
    IF v_entry = v_balance.last_entry_number + v_count THEN
        RETURN;
    END IF;

    -- The others: the first answer that their name had, if any.
    RETURN QUERY
    SELECT asked.place,
           CASE WHEN first.task_id IS NULL AND asked.project_id IS NULL THEN 'unknown_project'
                WHEN first.task_id IS NULL THEN 'unpriced'
                WHEN first.request_sha256 <> p_request_sha256s[asked.place] THEN 'conflict'
                WHEN hold.task_id IS NOT NULL THEN 'reserved'
                ELSE 'refused' END,
           first.task_id, coalesce(hold.entry_number, turned_away.entry_number),
           coalesce(hold.amount_credits, turned_away.amount_credits),
           coalesce(hold.reserved_at, turned_away.refused_at), turned_away.reasons
    FROM (SELECT i AS place, v_project_ids[p_project_of[i]] AS project_id, p_client_request_ids[i] AS client_request_id
          FROM generate_series(1, v_count) AS i WHERE v_numbers[i] IS NULL) AS asked
    LEFT JOIN client_request first
        ON first.wallet_id = p_wallet_id AND first.client_request_id = asked.client_request_id
    LEFT JOIN reservation hold ON hold.wallet_id = p_wallet_id AND hold.task_id = first.task_id
    LEFT JOIN refusal turned_away ON turned_away.wallet_id = p_wallet_id AND turned_away.task_id = first.task_id;
END
$$;

CREATE OR REPLACE FUNCTION claim(
    p_wallet_id   bigint,
    p_now         timestamptz,
    p_limit       bigint,
    p_lease_until timestamptz,
    p_except      uuid[]
) RETURNS TABLE (
    task_id uuid, state text, lease_token bigint, attempts integer, polls integer, in_doubt boolean, first_sent_at timestamptz,
    provider_task_id text, body bytea, accepted_at timestamptz
) LANGUAGE plpgsql
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
    v_taken       task_work[];
    v_more        task_work[];
    v_is_new_next boolean;
    v_room        bigint := p_limit;
    v_entry       bigint := 0;
    v_group       uuid[];
    v_count       integer;
    v_new         uuid[] := '{}';
    v_first       uuid;
    v_last        uuid;
BEGIN
    -- Those of the queue's two halves first of which one waits longest: the tasks that no worker has taken yet, and the others.
    v_is_new_next := coalesce(
        (SELECT waiting.due_at FROM queued_group waiting WHERE waiting.wallet_id = p_wallet_id ORDER BY waiting.last_entry_number LIMIT 1)
        <= (SELECT work.due_at FROM task_work work
            WHERE work.wallet_id = p_wallet_id AND work.due_at IS NOT NULL ORDER BY work.due_at LIMIT 1), true);
    FOR turn IN 1 .. 2 LOOP
        EXIT WHEN v_room <= 0;
        IF v_is_new_next = (turn = 1) THEN
            -- Group by group, each locked first. Of the last one, some may be left for later.
            LOOP
                SELECT waiting.last_entry_number, waiting.task_ids INTO v_entry, v_group
                FROM queued_group waiting
                WHERE waiting.wallet_id = p_wallet_id AND waiting.last_entry_number > v_entry AND waiting.due_at <= p_now
                ORDER BY waiting.last_entry_number
                LIMIT 1
                FOR UPDATE SKIP LOCKED;
                EXIT WHEN NOT FOUND;
                v_count := least(cardinality(v_group), v_room);
                v_new := v_new || v_group[:v_count];
                v_room := v_room - v_count;
                IF v_count = cardinality(v_group) THEN
                    DELETE FROM queued_group WHERE wallet_id = p_wallet_id AND last_entry_number = v_entry;
                ELSE
                    UPDATE queued_group SET task_ids = v_group[v_count + 1:] WHERE wallet_id = p_wallet_id AND last_entry_number = v_entry;
                END IF;
                EXIT WHEN v_room = 0;
            END LOOP;
            CONTINUE WHEN cardinality(v_new) = 0;
            v_first := (SELECT given.task_id FROM unnest(v_new) AS given (task_id) ORDER BY given.task_id LIMIT 1);
            v_last := (SELECT given.task_id FROM unnest(v_new) AS given (task_id) ORDER BY given.task_id DESC LIMIT 1);
            WITH taken AS (
                INSERT INTO task_work AS work
                    (wallet_id, task_id, state, due_at, lease_token, leased, attempts, first_sent_at, project_id, model, day, amount_credits)
                SELECT p_wallet_id, given.task_id, 'sending', p_lease_until, 1, true, 1, p_now,
                       hold.project_id, hold.model, hold.day, hold.amount_credits
                FROM unnest(v_new) AS given (task_id), LATERAL (
                    SELECT one.project_id, one.model, one.day, one.amount_credits FROM reservation one
                    WHERE one.wallet_id = p_wallet_id AND one.task_id = given.task_id AND one.task_id BETWEEN v_first AND v_last OFFSET 0
                ) AS hold
                RETURNING work AS claimed
            )
            SELECT array_agg(taken.claimed) INTO v_more FROM taken;
        ELSE
            WITH due AS MATERIALIZED (
                SELECT work.* FROM task_work work
                WHERE wallet_id = p_wallet_id AND due_at <= p_now AND task_id NOT IN (SELECT unnest(p_except || v_new))
                ORDER BY due_at
                LIMIT v_room
                FOR UPDATE SKIP LOCKED
            ), taken AS (
                -- Every row is there, and is written by its key.
                INSERT INTO task_work AS work
                    (wallet_id, task_id, state, due_at, lease_token, leased, attempts, polls, in_doubt, first_sent_at, accepted_at,
                     provider_task_id, project_id, model, day, amount_credits, reserved_credits)
                SELECT wallet_id, task_id, CASE WHEN state IN ('queued', 'unknown') THEN 'sending' ELSE state END,
                       p_lease_until, lease_token + 1, true, attempts + (provider_task_id IS NULL)::integer, polls,
                       -- A lease that ran out while its task was being sent leaves the doubt whether it was.
                       in_doubt OR state IN ('sending', 'unknown'),
                       -- Earlier requests that were surely not taken do not count: only a doubt has to end in time.
                       CASE WHEN state = 'queued' AND NOT in_doubt THEN p_now ELSE first_sent_at END,
                       accepted_at, provider_task_id, project_id, model, day, amount_credits, reserved_credits
                FROM due
                ON CONFLICT ON CONSTRAINT task_work_one_per_task DO UPDATE
                SET state = excluded.state, due_at = excluded.due_at, lease_token = excluded.lease_token, leased = true,
                    attempts = excluded.attempts, in_doubt = excluded.in_doubt, first_sent_at = excluded.first_sent_at
                RETURNING work AS claimed
            )
            SELECT array_agg(taken.claimed) INTO v_more FROM taken;
            v_room := v_room - coalesce(cardinality(v_more), 0);
        END IF;
        v_taken := v_taken || v_more;
    END LOOP;
    IF v_taken IS NULL THEN
        RETURN;
    END IF;

    -- The names of those that are to be sent are looked for between the first of them and the last, and their bodies by their names.
    v_first := (SELECT taken.task_id FROM unnest(v_taken) AS taken WHERE taken.provider_task_id IS NULL ORDER BY taken.task_id LIMIT 1);
    v_last := (SELECT taken.task_id FROM unnest(v_taken) AS taken WHERE taken.provider_task_id IS NULL ORDER BY taken.task_id DESC LIMIT 1);
    RETURN QUERY
    SELECT taken.task_id, taken.state, taken.lease_token, taken.attempts, taken.polls, taken.in_doubt, taken.first_sent_at,
           taken.provider_task_id,
           CASE WHEN taken.provider_task_id IS NULL THEN
               (SELECT request.body
                FROM (SELECT hold.client_request_id FROM reservation hold
                      WHERE hold.wallet_id = p_wallet_id AND hold.task_id = taken.task_id AND hold.task_id BETWEEN v_first AND v_last
                      OFFSET 0) AS named
                JOIN client_request request ON request.wallet_id = p_wallet_id AND request.client_request_id = named.client_request_id)
           END,
           -- By this clock, not by the provider's, whose stamp the task's row has. The order, in which only the key has its
           -- rows, keeps the planner from the other index that begins with the wallet.
           CASE WHEN taken.provider_task_id IS NOT NULL THEN
               (SELECT recorded_at FROM acceptance
                WHERE acceptance.wallet_id = p_wallet_id AND acceptance.task_id BETWEEN taken.task_id AND taken.task_id
                ORDER BY acceptance.task_id LIMIT 1)
           END
    FROM unnest(v_taken) AS taken;
END
$$;

CREATE OR REPLACE FUNCTION next_due(p_wallet_id bigint, OUT due_at timestamptz, OUT is_unfinished boolean) LANGUAGE plpgsql STABLE
    SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off SET jit = off AS $$
DECLARE
    v_waiting timestamptz := (SELECT waiting.due_at FROM queued_group waiting
                              WHERE waiting.wallet_id = p_wallet_id ORDER BY waiting.last_entry_number LIMIT 1);
BEGIN
    SELECT work.due_at INTO due_at FROM task_work work
    WHERE work.wallet_id = p_wallet_id AND work.due_at IS NOT NULL ORDER BY work.due_at LIMIT 1;
    due_at := least(due_at, v_waiting);
    is_unfinished := v_waiting IS NOT NULL;
    IF NOT is_unfinished THEN
        -- What is only read once more is due last, so it is gone through only when nothing else is left.
        PERFORM FROM task_work work
        WHERE work.wallet_id = p_wallet_id AND work.due_at IS NOT NULL AND work.state <> 'settled' ORDER BY work.due_at LIMIT 1;
        is_unfinished := FOUND;
    END IF;
END
$$;

-- Called by the next only, and planned as it is.
CREATE FUNCTION queue_alone(p_wallet_id bigint, p_task_ids uuid[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_first uuid := (SELECT given.task_id FROM unnest(p_task_ids) AS given (task_id) ORDER BY given.task_id LIMIT 1);
    v_last  uuid := (SELECT given.task_id FROM unnest(p_task_ids) AS given (task_id) ORDER BY given.task_id DESC LIMIT 1);
    v_holds reservation[];
    v_entry bigint := 0;
    v_due   timestamptz;
    v_group uuid[];
    v_rest  uuid[];
BEGIN
    v_holds := ARRAY(
        SELECT hold.of_task
        FROM (SELECT DISTINCT task_id FROM unnest(p_task_ids) AS named (task_id)) AS given, LATERAL (
            SELECT one AS of_task, one.entry_number FROM reservation one
            WHERE one.wallet_id = p_wallet_id AND one.task_id = given.task_id AND one.task_id BETWEEN v_first AND v_last OFFSET 0
        ) AS hold
        ORDER BY hold.entry_number);
    FOR i IN 1 .. cardinality(v_holds) LOOP
        CONTINUE WHEN v_holds[i].entry_number <= v_entry;
        -- A claim of the group is waited for: it may have taken what was in it, or all of it, and then this is the next one.
        SELECT waiting.last_entry_number, waiting.due_at, waiting.task_ids INTO v_entry, v_due, v_group
        FROM queued_group waiting
        WHERE waiting.wallet_id = p_wallet_id AND waiting.last_entry_number >= v_holds[i].entry_number
        ORDER BY waiting.last_entry_number LIMIT 1 FOR UPDATE;
        EXIT WHEN NOT FOUND;
        v_rest := ARRAY(SELECT given.task_id FROM unnest(v_group) AS given (task_id) WHERE given.task_id <> ALL (p_task_ids));
        CONTINUE WHEN v_rest = v_group;
        INSERT INTO task_work (wallet_id, task_id, state, due_at, project_id, model, day, amount_credits)
        SELECT p_wallet_id, hold.task_id, 'queued', v_due, hold.project_id, hold.model, hold.day, hold.amount_credits
        FROM unnest(v_holds) AS hold WHERE hold.task_id = ANY (v_group);
        IF v_rest = '{}' THEN
            DELETE FROM queued_group WHERE wallet_id = p_wallet_id AND last_entry_number = v_entry;
        ELSE
            UPDATE queued_group SET task_ids = v_rest WHERE wallet_id = p_wallet_id AND last_entry_number = v_entry;
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION queue_alone IS 'Gives those of the tasks that no worker has taken yet a row of their own in the queue.';
REVOKE EXECUTE ON FUNCTION queue_alone FROM PUBLIC;
GRANT EXECUTE ON FUNCTION queue_alone TO usage_service;

CREATE OR REPLACE FUNCTION known_tasks(p_wallet_id bigint, p_task_ids uuid[]) RETURNS known_task[] LANGUAGE plpgsql AS $$
DECLARE
    v_known known_task[];
    v_open  boolean;
    v_alone uuid[];
    v_first uuid;
    v_last  uuid;
BEGIN
    -- A claim does not take the wallet's lock: one that commits at this moment is waited for, so that its lease is seen. By key,
    -- as all who write several tasks do, so that none waits for another in a circle. What no worker has taken yet is first given a row
    -- of its own.
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
        EXIT WHEN v_alone IS NOT NULL;
        v_alone := ARRAY(SELECT p_task_ids[i] FROM generate_series(1, cardinality(p_task_ids)) AS i WHERE (v_known[i]).state IS NULL);
        EXIT WHEN v_alone = '{}';
        PERFORM queue_alone(p_wallet_id, v_alone);
    END LOOP;

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
