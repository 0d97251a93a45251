-- 0028_reserve_in_few_statements.sql: the guard, which decides as before and costs a third of what it did.
--
-- All rows of a group are added in one statement, each price is looked up once, and what was just decided is not read back. The
-- plans are made once and lean on the indexes alone: made while the tables are still empty, others would read them whole, for
-- each request, until the next ANALYZE.
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
) LANGUAGE plpgsql
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET enable_material = off
AS $$
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
    v_scopes      integer[];
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
    v_amount      bigint;
    v_in_month    integer;
    v_in_day      integer;
    v_in_total    integer;
    v_count       integer := cardinality(p_task_ids);
    v_time_zone   text;
    v_first_at    timestamptz;
    v_last_at     timestamptz;
    v_same_prices boolean;
    v_counter     integer;
BEGIN
    SELECT b.* INTO STRICT v_balance FROM wallet_balance b WHERE b.wallet_id = p_wallet_id FOR UPDATE;
    SELECT wallet.time_zone INTO v_time_zone FROM wallet WHERE wallet.wallet_id = p_wallet_id;
    v_available := available_credits(v_balance);
    v_entry := v_balance.last_entry_number;
    v_held := v_balance.held_credits;

    -- Requests between whose times no price begins are priced at one moment, so each price is looked up once.
    SELECT min(asked.at), max(asked.at) INTO v_first_at, v_last_at FROM unnest(p_ats) AS asked (at);
    v_same_prices := NOT EXISTS (
        SELECT FROM price WHERE price.wallet_id = p_wallet_id AND price.effective_from > v_first_at AND price.effective_from <= v_last_at);

    -- What each request asks for. Of those with one name only the first that can be decided is, and only where no answer
    -- exists yet. Requests of one project and day share a scope: the counters that they are held to.
    WITH asked AS MATERIALIZED (
        SELECT asked.*, CASE WHEN v_same_prices THEN v_last_at ELSE asked.at END AS priced_at
        FROM unnest(p_projects, p_models, p_parameters, p_client_request_ids, p_ats) WITH ORDINALITY
             AS asked (project, model, parameters, client_request_id, at, place)
    ), quote AS MATERIALIZED (
        SELECT wanted.*, price.price_id, price.amount_credits
        FROM (SELECT DISTINCT model, parameters, priced_at FROM asked) AS wanted,
             price_of(p_wallet_id, wanted.model, wanted.parameters, wanted.priced_at) AS price
    ), priced AS MATERIALIZED (
        SELECT asked.place, asked.client_request_id, asked.at, quote.price_id, quote.amount_credits,
               (SELECT project.project_id FROM project WHERE project.wallet_id = p_wallet_id AND project.slug = asked.project) AS project_id,
               -- Not NOT EXISTS: that may be planned as one look at all names there are.
               (SELECT known.task_id FROM client_request known
                WHERE known.wallet_id = p_wallet_id AND known.client_request_id = asked.client_request_id) IS NULL AS is_new
        FROM asked LEFT JOIN quote USING (model, parameters, priced_at)
    ), named AS (
        SELECT priced.*, (at AT TIME ZONE v_time_zone)::date AS day, num_nulls(project_id, price_id) = 0 AS can_be_decided,
               row_number() OVER (PARTITION BY client_request_id, num_nulls(project_id, price_id) = 0 ORDER BY place) AS turn
        FROM priced
    ), request AS (
        SELECT named.*, can_be_decided AND is_new AND turn = 1 AS decide FROM named
    )
    SELECT array_agg(decide), array_agg(project_id), array_agg(price_id), array_agg(amount_credits), array_agg(day), array_agg(scope)
    INTO v_decide, v_project_ids, v_price_ids, v_amounts, v_days, v_scopes
    FROM (SELECT request.*, dense_rank() OVER (PARTITION BY decide ORDER BY project_id, day) AS scope
          FROM request ORDER BY place) AS request;

    -- The counters of every budget in play, and for each scope which of them are its month's, day's and total's. Where
    -- some are missing they are made from the day totals, and read again.
    FOR turn IN 1 .. 2 LOOP
        WITH scope AS (
            SELECT DISTINCT asked.scope, asked.project_id, asked.day
            FROM unnest(v_decide, v_scopes, v_project_ids, v_days) AS asked (decide, scope, project_id, day)
            WHERE asked.decide
        ), used AS MATERIALIZED (
            SELECT scope.scope, budget.project_id, budget.period, period_start(budget.period, scope.day) AS starts_on,
                   counter.charged_credits, counter.held_credits + counter.charged_credits AS used, budget.limit_credits,
                   dense_rank() OVER (PARTITION BY budget.period IS NULL
                                      ORDER BY budget.project_id, budget.period, period_start(budget.period, scope.day)) AS n
            FROM scope
            LEFT JOIN budget ON budget.wallet_id = p_wallet_id AND budget.project_id = scope.project_id
            LEFT JOIN budget_counter counter ON counter.wallet_id = p_wallet_id AND counter.project_id = budget.project_id
                AND counter.period = budget.period AND counter.starts_on = period_start(budget.period, scope.day)
        ), placed AS (
            SELECT max(n) FILTER (WHERE period = 'month') AS month_counter, max(n) FILTER (WHERE period = 'day') AS day_counter,
                   max(n) FILTER (WHERE period = 'total') AS total_counter
            FROM used GROUP BY scope ORDER BY scope
        )
        SELECT c.projects, c.periods, c.starts, c.charged, c.used, c.limits, p.months, p.days, p.totals
        INTO v_projects, v_periods, v_starts, v_charged, v_counted, v_limits, v_month, v_day, v_total
        FROM (SELECT array_agg(project_id) AS projects, array_agg(period) AS periods, array_agg(starts_on) AS starts,
                     array_agg(charged_credits) AS charged, array_agg(used) AS used, array_agg(limit_credits) AS limits
              FROM (SELECT DISTINCT ON (n) * FROM used WHERE period IS NOT NULL ORDER BY n) AS counter) AS c,
             (SELECT array_agg(month_counter) AS months, array_agg(day_counter) AS days, array_agg(total_counter) AS totals FROM placed) AS p;
        EXIT WHEN array_position(v_counted, NULL) IS NULL;

        INSERT INTO budget_counter AS made (wallet_id, project_id, period, starts_on, held_credits, charged_credits)
        SELECT p_wallet_id, needed.project_id, needed.period, needed.starts_on,
               coalesce(sum(spent.held_credits), 0), coalesce(sum(spent.charged_credits), 0)
        FROM unnest(v_projects, v_periods, v_starts, v_counted) AS needed (project_id, period, starts_on, counted)
        LEFT JOIN day_total spent ON spent.wallet_id = p_wallet_id AND spent.project_id = needed.project_id
            AND spent.day >= needed.starts_on AND spent.day < coalesce(period_end(needed.period, needed.starts_on), 'infinity')
        WHERE needed.counted IS NULL
        GROUP BY needed.project_id, needed.period, needed.starts_on;
    END LOOP;
    v_used := v_counted;

    v_admitted := array_fill(false, ARRAY[v_count]);
    v_numbers := array_fill(NULL::bigint, ARRAY[v_count]);
    v_held_after := v_numbers;
    v_refusals := array_fill(NULL::jsonb, ARRAY[v_count]);
    FOR i IN 1 .. v_count LOOP
        CONTINUE WHEN NOT v_decide[i];
        v_entry := v_entry + 1;
        v_numbers[i] := v_entry;
        v_amount := v_amounts[i];
        v_counter := v_scopes[i];
        v_in_month := v_month[v_counter];
        v_in_day := v_day[v_counter];
        v_in_total := v_total[v_counter];
        IF v_balance.gate IS NULL AND v_amount <= v_available AND v_used[v_in_month] + v_amount <= v_limits[v_in_month]
            AND (v_in_day IS NULL OR v_used[v_in_day] + v_amount <= v_limits[v_in_day])
            AND (v_in_total IS NULL OR v_used[v_in_total] + v_amount <= v_limits[v_in_total])
        THEN
            v_admitted[i] := true;
            v_available := v_available - v_amount;
            v_held := v_held + v_amount;
            v_held_after[i] := v_held;
            v_used[v_in_month] := v_used[v_in_month] + v_amount;
            IF v_in_day IS NOT NULL THEN
                v_used[v_in_day] := v_used[v_in_day] + v_amount;
            END IF;
            IF v_in_total IS NOT NULL THEN
                v_used[v_in_total] := v_used[v_in_total] + v_amount;
            END IF;
            CONTINUE;
        END IF;

        v_reasons := '[]';
        FOREACH v_counter IN ARRAY ARRAY[v_in_day, v_in_month, v_in_total] LOOP
            IF v_used[v_counter] + v_amount > v_limits[v_counter] THEN
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
        ELSIF v_amount > v_available THEN
            v_reasons := v_reasons || jsonb_build_object(
                'ceiling', 'wallet', 'reading_credits', v_balance.reading_credits,
                'held_credits', v_balance.reading_credits - v_available,
                'remaining_credits', greatest(v_available, 0),
                'reading_age_seconds', reading_age_seconds(v_balance.read_at, p_ats[i]));
        END IF;
        v_refusals[i] := v_reasons;
    END LOOP;

    IF v_entry > v_balance.last_entry_number THEN
        WITH asked AS MATERIALIZED (
            SELECT asked.*
            FROM unnest(v_numbers, v_admitted, p_task_ids, v_project_ids, p_models, v_price_ids, v_amounts, v_held_after, v_days,
                        v_refusals, p_client_request_ids, p_request_sha256s, p_bodies, p_ats)
                 AS asked (number, admitted, task_id, project_id, model, price_id, amount, held_after, day, reasons,
                           client_request_id, request_sha256, body, at)
            WHERE asked.number IS NOT NULL
        ), answered AS (
            INSERT INTO client_request (wallet_id, client_request_id, task_id, request_sha256)
            SELECT p_wallet_id, client_request_id, task_id, request_sha256 FROM asked
        ), stored AS (
            INSERT INTO task_request (wallet_id, task_id, body)
            SELECT p_wallet_id, task_id, body FROM asked WHERE admitted AND body IS NOT NULL
        ), queued AS (
            INSERT INTO task_work (wallet_id, task_id, state, due_at)
            SELECT p_wallet_id, task_id, 'queued', CASE WHEN body IS NOT NULL THEN least(at, clock_timestamp()) END
            FROM asked WHERE admitted
        ), held AS (
            INSERT INTO reservation (wallet_id, task_id, entry_number, project_id, model, price_id, amount_credits,
                                     wallet_held_credits, day, client_request_id, reserved_at)
            SELECT p_wallet_id, task_id, number, project_id, model, price_id, amount, held_after, day, client_request_id, at
            FROM asked WHERE admitted
            RETURNING entry_number, entry_line(reservation) AS line
        ), turned_away AS (
            INSERT INTO refusal (wallet_id, task_id, entry_number, project_id, model, amount_credits, day, reasons,
                                 client_request_id, refused_at)
            SELECT p_wallet_id, task_id, number, project_id, model, amount, day, reasons, client_request_id, at
            FROM asked WHERE NOT admitted
            RETURNING entry_number, entry_line(refusal) AS line
        ), counted AS (
            INSERT INTO day_total AS total (wallet_id, day, project_id, model, tasks, refused, reserved_credits, held_credits)
            SELECT p_wallet_id, day, project_id, model, count(*) FILTER (WHERE admitted), count(*) FILTER (WHERE NOT admitted),
                   coalesce(sum(amount) FILTER (WHERE admitted), 0), coalesce(sum(amount) FILTER (WHERE admitted), 0)
            FROM asked GROUP BY day, project_id, model
            ON CONFLICT ON CONSTRAINT day_total_key DO UPDATE SET
                tasks = total.tasks + excluded.tasks, refused = total.refused + excluded.refused,
                reserved_credits = total.reserved_credits + excluded.reserved_credits,
                held_credits = total.held_credits + excluded.held_credits
        ), used AS (
            UPDATE budget_counter counter
            SET held_credits = counter.held_credits + moved.used - moved.counted
            FROM unnest(v_projects, v_periods, v_starts, v_used, v_counted)
                 AS moved (project_id, period, starts_on, used, counted)
            WHERE counter.wallet_id = p_wallet_id AND counter.project_id = moved.project_id
                AND counter.period = moved.period AND counter.starts_on = moved.starts_on AND moved.used <> moved.counted
        ), balance AS (
            UPDATE wallet_balance b
            SET last_entry_number = v_entry,
                reserved_credits = b.reserved_credits + v_held - v_balance.held_credits,
                waiting_credits = b.waiting_credits + v_held - v_balance.held_credits,
                held_credits = v_held
            WHERE b.wallet_id = p_wallet_id
        )
        INSERT INTO entry_hash (wallet_id, entry_number, hash)
        SELECT p_wallet_id, hashed.entry_number, hashed.hash
        FROM (SELECT array_agg(entry_number) AS numbers, array_agg(line) AS lines
              FROM (SELECT * FROM held UNION ALL SELECT * FROM turned_away ORDER BY entry_number) AS added) AS grouped,
             entry_hashes(p_wallet_id, grouped.numbers, grouped.lines) AS hashed;
    END IF;
    IF v_held > v_balance.held_credits THEN
        PERFORM pg_notify('usage_work', p_wallet_id::text);
    END IF;

    -- The answers: those just given, and for the others the first one that their name had.
    RETURN QUERY
    SELECT asked.place, CASE WHEN asked.admitted THEN 'reserved' ELSE 'refused' END, asked.task_id, asked.number, asked.amount,
           asked.at, asked.reasons
    FROM unnest(v_decide, v_admitted, p_task_ids, v_numbers, v_amounts, p_ats, v_refusals) WITH ORDINALITY
         AS asked (decide, admitted, task_id, number, amount, at, reasons, place)
    WHERE asked.decide;
    IF v_entry = v_balance.last_entry_number + v_count THEN
        RETURN;
    END IF;
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
    FROM unnest(v_decide, p_client_request_ids, p_request_sha256s, v_project_ids) WITH ORDINALITY
         AS asked (decide, client_request_id, request_sha256, project_id, place)
    LEFT JOIN client_request first
        ON first.wallet_id = p_wallet_id AND first.client_request_id = asked.client_request_id
    LEFT JOIN reservation hold ON hold.wallet_id = p_wallet_id AND hold.task_id = first.task_id
    LEFT JOIN refusal turned_away ON turned_away.wallet_id = p_wallet_id AND turned_away.task_id = first.task_id
    WHERE NOT asked.decide;
END
$$;
