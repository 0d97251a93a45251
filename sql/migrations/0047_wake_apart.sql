-- 0047_wake_apart.sql: reserve() wakes no worker any more; its caller does, in a transaction of its own behind it (queries/wake.sql).
--
-- A transaction that notifies holds one lock of the whole server until its commit is on disk, so the groups of several wallets waited for
-- each other's flush, and a reservation took 36 us of the server's time for it. Nothing else has changed.
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
    v_available := available_credits(v_balance);
    v_held := v_balance.held_credits;
    v_entry := v_balance.last_entry_number;
    v_recorded := clock_timestamp();

    -- The prices, at the last of the requests' moments: what was asked on one day, with no new price between, is of one moment.
    SELECT max(moment.day), bool_and(moment.is_one), array_agg(price.price_id), array_agg(price.amount_credits)
    INTO v_day, v_is_one_moment, v_price_ids, v_amounts
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

    -- The names of those that can be decided. Where somebody asks again, only the first with a name is, and only where no
    -- answer exists yet.
    LOOP
        BEGIN
            INSERT INTO client_request (wallet_id, client_request_id, task_id, request_sha256)
            SELECT p_wallet_id, p_client_request_ids[i], p_task_ids[i], p_request_sha256s[i]
            FROM generate_series(1, v_count) AS i
            WHERE v_amounts[p_kind_of[i]] IS NOT NULL AND v_project_ids[p_project_of[i]] IS NOT NULL AND v_is_repeated[i] IS NOT TRUE;
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

    -- The decision, in the order in which they came.
    v_numbers := array_fill(NULL::bigint, ARRAY[v_count]);
    v_held_after := v_numbers;
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
                v_project_ids[v_project], p_models[p_kind_of[i]], v_price_ids[p_kind_of[i]], v_amount, v_held, v_day, p_ats[i],
                v_recorded);
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

    -- The rows, and the answers to those just decided.
    RETURN QUERY
    WITH admitted AS MATERIALIZED (
        SELECT i FROM generate_series(1, v_count) AS i WHERE v_held_after[i] IS NOT NULL
    ), stored AS (
        INSERT INTO task_request (wallet_id, task_id, body)
        SELECT p_wallet_id, p_task_ids[i], p_bodies[i] FROM admitted WHERE p_bodies[i] IS NOT NULL
    ), queued AS (
        INSERT INTO task_work (wallet_id, task_id, state, due_at, project_id, model, day, amount_credits)
        SELECT p_wallet_id, p_task_ids[i], 'queued', CASE WHEN p_bodies[i] IS NOT NULL THEN least(p_ats[i], clock_timestamp()) END,
               v_project_ids[p_project_of[i]], p_models[p_kind_of[i]], v_day, v_amounts[p_kind_of[i]]
        FROM admitted
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
