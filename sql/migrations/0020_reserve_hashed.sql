-- 0020_reserve_hashed.sql: the guard, which now adds its entries to the hash chain, and decides as before.
--
-- A task is due at once by the database's clock, even where the caller's is ahead of it.
--
-- The wallet's row is locked first, in a statement of its own, so that every later statement sees what the group before
-- committed (READ COMMITTED takes a new snapshot for each). All that moves credits of a wallet takes this lock first,
-- so no other is needed. Then each request is decided in turn, and the rows are added for the whole group at once.
CREATE OR REPLACE FUNCTION reserve(
    p_wallet_id          bigint,
    p_task_ids           uuid[],
    p_projects           text[],
    p_models             text[],
    p_parameters         jsonb[],
    p_client_request_ids text[],
    p_request_sha256s    bytea[],
    p_bodies             bytea[],
    p_ats                timestamptz[]
) RETURNS TABLE (
    place bigint, outcome text, task_id uuid, entry_number bigint, amount_credits bigint, decided_at timestamptz, reasons jsonb
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    v_balance     wallet_balance%ROWTYPE;
    v_available   bigint;
    v_entry       bigint;
    v_held        bigint;
    v_decide      boolean[];
    v_project_ids bigint[];
    v_price_ids   bigint[];
    v_amounts     bigint[];
    v_days        date[];
    v_month       integer[];
    v_day         integer[];
    v_total       integer[];
    v_projects    bigint[];
    v_periods     text[];
    v_starts      date[];
    v_charged     bigint[];
    v_counted     bigint[];
    v_used        bigint[];
    v_limits      bigint[];
    v_admitted    boolean[];
    v_numbers     bigint[];
    v_held_after  bigint[];
    v_reasons     jsonb;
    v_refusals    jsonb[];
    v_admissions  bigint := 0;
    v_count       integer := cardinality(p_task_ids);
    v_at          integer;
    v_counter     integer;
BEGIN
    SELECT b.* INTO STRICT v_balance FROM wallet_balance b WHERE b.wallet_id = p_wallet_id FOR UPDATE;
    v_available := available_credits(v_balance);
    v_entry := v_balance.last_entry_number;
    v_held := v_balance.held_credits;

    -- What each request asks for. Of those with one name only the first that can be decided is, and only where no answer
    -- exists yet.
    SELECT array_agg(first_of_name AND project_id IS NOT NULL AND price_id IS NOT NULL ORDER BY place),
           array_agg(project_id ORDER BY place), array_agg(price_id ORDER BY place),
           array_agg(amount ORDER BY place), array_agg(day ORDER BY place)
    INTO v_decide, v_project_ids, v_price_ids, v_amounts, v_days
    FROM (
        SELECT asked.place, project.project_id, quote.price_id, quote.amount_credits AS amount,
               (asked.at AT TIME ZONE wallet.time_zone)::date AS day,
               known.task_id IS NULL
                   AND row_number() OVER (PARTITION BY asked.client_request_id,
                                          project.project_id IS NOT NULL AND quote.price_id IS NOT NULL
                                          ORDER BY asked.place) = 1 AS first_of_name
        FROM unnest(p_projects, p_models, p_parameters, p_client_request_ids, p_ats) WITH ORDINALITY
             AS asked (project, model, parameters, client_request_id, at, place)
        JOIN wallet ON wallet.wallet_id = p_wallet_id
        LEFT JOIN client_request known
            ON known.wallet_id = p_wallet_id AND known.client_request_id = asked.client_request_id
        LEFT JOIN project ON project.wallet_id = p_wallet_id AND project.slug = asked.project
        LEFT JOIN LATERAL price_of(p_wallet_id, asked.model, asked.parameters, asked.at) AS quote ON true
    ) AS request;

    -- The counters of every budget in play, made from the day totals where they are missing.
    INSERT INTO budget_counter AS made (wallet_id, project_id, period, starts_on, held_credits, charged_credits)
    SELECT p_wallet_id, needed.project_id, needed.period, needed.starts_on,
           coalesce(sum(spent.held_credits), 0), coalesce(sum(spent.charged_credits), 0)
    FROM (SELECT DISTINCT asked.project_id, budget.period, period_start(budget.period, asked.day) AS starts_on
          FROM unnest(v_decide, v_project_ids, v_days) AS asked (decide, project_id, day)
          JOIN budget ON budget.wallet_id = p_wallet_id AND budget.project_id = asked.project_id
          WHERE asked.decide) AS needed
    LEFT JOIN budget_counter counter ON counter.wallet_id = p_wallet_id AND counter.project_id = needed.project_id
        AND counter.period = needed.period AND counter.starts_on = needed.starts_on
    LEFT JOIN day_total spent ON spent.wallet_id = p_wallet_id AND spent.project_id = needed.project_id
        AND spent.day >= needed.starts_on AND spent.day < coalesce(period_end(needed.period, needed.starts_on), 'infinity')
    WHERE counter.wallet_id IS NULL
    GROUP BY needed.project_id, needed.period, needed.starts_on;

    SELECT array_agg(project_id), array_agg(period), array_agg(starts_on),
           array_agg(charged_credits), array_agg(used), array_agg(limit_credits)
    INTO v_projects, v_periods, v_starts, v_charged, v_counted, v_limits
    FROM (
        SELECT counter.project_id, counter.period, counter.starts_on, counter.charged_credits,
               counter.held_credits + counter.charged_credits AS used, budget.limit_credits
        FROM (SELECT DISTINCT asked.project_id, asked.day
              FROM unnest(v_decide, v_project_ids, v_days) AS asked (decide, project_id, day) WHERE asked.decide) AS asked
        JOIN budget ON budget.wallet_id = p_wallet_id AND budget.project_id = asked.project_id
        JOIN budget_counter counter ON counter.wallet_id = p_wallet_id AND counter.project_id = asked.project_id
            AND counter.period = budget.period AND counter.starts_on = period_start(budget.period, asked.day)
        GROUP BY counter.wallet_id, counter.project_id, counter.period, counter.starts_on, budget.limit_credits
        ORDER BY counter.project_id, counter.period, counter.starts_on
    ) AS counter;
    v_used := v_counted;

    SELECT array_agg(month_counter ORDER BY place), array_agg(day_counter ORDER BY place), array_agg(total_counter ORDER BY place)
    INTO v_month, v_day, v_total
    FROM (
        SELECT asked.place,
               max(counter.n) FILTER (WHERE counter.period = 'month') AS month_counter,
               max(counter.n) FILTER (WHERE counter.period = 'day') AS day_counter,
               max(counter.n) FILTER (WHERE counter.period = 'total') AS total_counter
        FROM unnest(v_project_ids, v_days) WITH ORDINALITY AS asked (project_id, day, place)
        LEFT JOIN unnest(v_projects, v_periods, v_starts) WITH ORDINALITY AS counter (project_id, period, starts_on, n)
            ON counter.project_id = asked.project_id AND counter.starts_on = period_start(counter.period, asked.day)
        GROUP BY asked.place
    ) AS placed;

    v_admitted := array_fill(false, ARRAY[v_count]);
    v_numbers := array_fill(NULL::bigint, ARRAY[v_count]);
    v_held_after := v_numbers;
    v_refusals := array_fill(NULL::jsonb, ARRAY[v_count]);
    FOR i IN 1 .. v_count LOOP
        CONTINUE WHEN NOT v_decide[i];
        v_entry := v_entry + 1;
        v_numbers[i] := v_entry;
        IF v_balance.gate IS NULL AND v_amounts[i] <= v_available
            AND v_used[v_month[i]] + v_amounts[i] <= v_limits[v_month[i]]
            AND (v_day[i] IS NULL OR v_used[v_day[i]] + v_amounts[i] <= v_limits[v_day[i]])
            AND (v_total[i] IS NULL OR v_used[v_total[i]] + v_amounts[i] <= v_limits[v_total[i]])
        THEN
            v_admitted[i] := true;
            v_admissions := v_admissions + 1;
            v_available := v_available - v_amounts[i];
            v_held := v_held + v_amounts[i];
            v_held_after[i] := v_held;
            v_used[v_month[i]] := v_used[v_month[i]] + v_amounts[i];
            IF v_day[i] IS NOT NULL THEN
                v_used[v_day[i]] := v_used[v_day[i]] + v_amounts[i];
            END IF;
            IF v_total[i] IS NOT NULL THEN
                v_used[v_total[i]] := v_used[v_total[i]] + v_amounts[i];
            END IF;
            CONTINUE;
        END IF;

        v_reasons := '[]';
        FOREACH v_counter IN ARRAY ARRAY[v_day[i], v_month[i], v_total[i]] LOOP
            IF v_used[v_counter] + v_amounts[i] > v_limits[v_counter] THEN
                v_reasons := v_reasons || jsonb_build_object(
                    'ceiling', 'project_' || v_periods[v_counter],
                    'limit_credits', v_limits[v_counter],
                    'charged_credits', v_charged[v_counter],
                    'held_credits', v_used[v_counter] - v_charged[v_counter],
                    'remaining_credits', greatest(v_limits[v_counter] - v_used[v_counter], 0),
                    'resets_on', period_end(v_periods[v_counter], v_starts[v_counter]));
            END IF;
        END LOOP;
        IF v_balance.gate IS NOT NULL THEN
            v_reasons := v_reasons || jsonb_build_object(
                'ceiling', 'wallet_gate', 'cause', v_balance.gate,
                'needed_credits', v_balance.gate_needed_credits, 'remaining_credits', greatest(v_available, 0),
                'reading_credits', v_balance.reading_credits,
                'reading_age_seconds', reading_age_seconds(v_balance.read_at, p_ats[i]));
        ELSIF v_amounts[i] > v_available THEN
            v_reasons := v_reasons || jsonb_build_object(
                'ceiling', 'wallet', 'reading_credits', v_balance.reading_credits,
                'held_credits', v_balance.reading_credits - v_available,
                'remaining_credits', greatest(v_available, 0),
                'reading_age_seconds', reading_age_seconds(v_balance.read_at, p_ats[i]));
        END IF;
        v_refusals[i] := v_reasons;
    END LOOP;

    INSERT INTO client_request (wallet_id, client_request_id, task_id, request_sha256)
    SELECT p_wallet_id, asked.client_request_id, asked.task_id, asked.request_sha256
    FROM unnest(v_decide, p_client_request_ids, p_task_ids, p_request_sha256s)
         AS asked (decide, client_request_id, task_id, request_sha256)
    WHERE asked.decide;

    INSERT INTO task (wallet_id, task_id, project_id, model, client_request_id, submitted_at)
    SELECT p_wallet_id, asked.task_id, asked.project_id, asked.model, asked.client_request_id, asked.at
    FROM unnest(v_admitted, p_task_ids, v_project_ids, p_models, p_client_request_ids, p_ats)
         AS asked (admitted, task_id, project_id, model, client_request_id, at)
    WHERE asked.admitted;

    WITH asked AS (
        SELECT asked.*
        FROM unnest(v_numbers, v_admitted, p_task_ids, v_project_ids, p_models, v_price_ids, v_amounts, v_held_after, v_days,
                    v_refusals, p_client_request_ids, p_ats)
             AS asked (number, admitted, task_id, project_id, model, price_id, amount, held_after, day, reasons, client_request_id, at)
        WHERE asked.number IS NOT NULL
    ), held AS (
        INSERT INTO reservation (wallet_id, task_id, entry_number, project_id, model, price_id, amount_credits,
                                 wallet_held_credits, day, reserved_at)
        SELECT p_wallet_id, task_id, number, project_id, model, price_id, amount, held_after, day, at
        FROM asked WHERE admitted
        RETURNING entry_number, entry_line(reservation) AS line
    ), turned_away AS (
        INSERT INTO refusal (wallet_id, task_id, entry_number, project_id, model, amount_credits, day, reasons,
                             client_request_id, refused_at)
        SELECT p_wallet_id, task_id, number, project_id, model, amount, day, reasons, client_request_id, at
        FROM asked WHERE NOT admitted
        RETURNING entry_number, entry_line(refusal) AS line
    )
    INSERT INTO entry_hash (wallet_id, entry_number, hash)
    SELECT p_wallet_id, hashed.entry_number, hashed.hash
    FROM (SELECT array_agg(entry_number ORDER BY entry_number) AS numbers, array_agg(line ORDER BY entry_number) AS lines
          FROM (SELECT * FROM held UNION ALL SELECT * FROM turned_away) AS added) AS grouped,
         entry_hashes(p_wallet_id, grouped.numbers, grouped.lines) AS hashed;

    IF v_admissions > 0 THEN
        INSERT INTO task_request (wallet_id, task_id, body)
        SELECT p_wallet_id, asked.task_id, asked.body
        FROM unnest(v_admitted, p_task_ids, p_bodies) AS asked (admitted, task_id, body)
        WHERE asked.admitted AND asked.body IS NOT NULL;

        INSERT INTO task_work (wallet_id, task_id, state, due_at)
        SELECT p_wallet_id, asked.task_id, 'queued', CASE WHEN asked.body IS NOT NULL THEN least(asked.at, clock_timestamp()) END
        FROM unnest(v_admitted, p_task_ids, p_bodies, p_ats) AS asked (admitted, task_id, body, at)
        WHERE asked.admitted;

        UPDATE budget_counter counter
        SET held_credits = counter.held_credits + moved.used - moved.counted
        FROM unnest(v_projects, v_periods, v_starts, v_used, v_counted)
             AS moved (project_id, period, starts_on, used, counted)
        WHERE counter.wallet_id = p_wallet_id AND counter.project_id = moved.project_id
            AND counter.period = moved.period AND counter.starts_on = moved.starts_on AND moved.used <> moved.counted;

        PERFORM pg_notify('usage_work', p_wallet_id::text);
    END IF;

    INSERT INTO day_total AS total (wallet_id, day, project_id, model, tasks, refused, reserved_credits, held_credits)
    SELECT p_wallet_id, asked.day, asked.project_id, asked.model,
           count(*) FILTER (WHERE asked.admitted), count(*) FILTER (WHERE NOT asked.admitted),
           coalesce(sum(asked.amount) FILTER (WHERE asked.admitted), 0),
           coalesce(sum(asked.amount) FILTER (WHERE asked.admitted), 0)
    FROM unnest(v_decide, v_admitted, v_days, v_project_ids, p_models, v_amounts)
         AS asked (decide, admitted, day, project_id, model, amount)
    WHERE asked.decide
    GROUP BY asked.day, asked.project_id, asked.model
    ON CONFLICT ON CONSTRAINT day_total_key DO UPDATE SET
        tasks = total.tasks + excluded.tasks, refused = total.refused + excluded.refused,
        reserved_credits = total.reserved_credits + excluded.reserved_credits,
        held_credits = total.held_credits + excluded.held_credits;

    UPDATE wallet_balance b
    SET last_entry_number = v_entry,
        reserved_credits = b.reserved_credits + v_held - v_balance.held_credits,
        waiting_credits = b.waiting_credits + v_held - v_balance.held_credits,
        held_credits = v_held
    WHERE b.wallet_id = p_wallet_id AND v_entry > v_balance.last_entry_number;

    RETURN QUERY
    SELECT asked.place,
           CASE WHEN first.task_id IS NULL AND asked.project_id IS NULL THEN 'unknown_project'
                WHEN first.task_id IS NULL THEN 'unpriced'
                WHEN first.request_sha256 <> asked.request_sha256 THEN 'conflict'
                WHEN hold.task_id IS NOT NULL THEN 'reserved'
                ELSE 'refused' END,
           first.task_id, coalesce(hold.entry_number, turned_away.entry_number),
           coalesce(hold.amount_credits, turned_away.amount_credits),
           coalesce(hold.reserved_at, turned_away.refused_at), turned_away.reasons
    FROM unnest(p_client_request_ids, p_request_sha256s, v_project_ids) WITH ORDINALITY
         AS asked (client_request_id, request_sha256, project_id, place)
    LEFT JOIN client_request first
        ON first.wallet_id = p_wallet_id AND first.client_request_id = asked.client_request_id
    LEFT JOIN reservation hold ON hold.wallet_id = p_wallet_id AND hold.task_id = first.task_id
    LEFT JOIN refusal turned_away ON turned_away.wallet_id = p_wallet_id AND turned_away.task_id = first.task_id
    ORDER BY asked.place;
END
$$;
