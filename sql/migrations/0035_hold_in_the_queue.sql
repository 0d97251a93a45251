-- 0035_hold_in_the_queue.sql: an open task's row in the queue has its hold, so that accepting and settling it reads nothing else.
--
-- Four look-ups for each task, into tables that grow for ever, become one into a table that holds the open tasks only. What has
-- ended already is the exception, and is read from the entries. usage verify holds the copies against the entries.
ALTER TABLE task_work
    ADD COLUMN project_id bigint, ADD COLUMN model text, ADD COLUMN day date, ADD COLUMN amount_credits bigint,
    ADD COLUMN reserved_credits bigint;
UPDATE task_work work
SET project_id = hold.project_id, model = hold.model, day = hold.day, amount_credits = hold.amount_credits,
    reserved_credits = (SELECT taken.reserved_credits FROM acceptance taken
                        WHERE (taken.wallet_id, taken.task_id) = (work.wallet_id, work.task_id))
FROM reservation hold WHERE (hold.wallet_id, hold.task_id) = (work.wallet_id, work.task_id);
ALTER TABLE task_work
    ALTER COLUMN project_id SET NOT NULL, ALTER COLUMN model SET NOT NULL, ALTER COLUMN day SET NOT NULL,
    ALTER COLUMN amount_credits SET NOT NULL;
COMMENT ON COLUMN task_work.project_id IS 'As in its reservation.';
COMMENT ON COLUMN task_work.model IS 'As in its reservation.';
COMMENT ON COLUMN task_work.day IS 'As in its reservation.';
COMMENT ON COLUMN task_work.amount_credits IS 'As in its reservation: the most it may cost, in whole credits.';
COMMENT ON COLUMN task_work.reserved_credits IS 'As in its acceptance: what the provider took, in whole credits; null before.';

CREATE TYPE known_task AS (
    project_id       bigint,
    model            text,
    day              date,
    amount_credits   bigint,
    provider_task_id text,
    reserved_credits bigint,
    accepted_late    boolean,
    state            text,
    lease_token      bigint,
    being_sent       boolean,
    ended_as         text,
    charged_credits  bigint,
    released_credits bigint
);
COMMENT ON TYPE known_task IS 'What is known of a task that is to be accepted or settled: its hold (all null: there is no such task), its acceptance, its place in the queue (null: it has none), and how it ended, corrections included (null: it is open).';

CREATE FUNCTION known_tasks(p_wallet_id bigint, p_task_ids uuid[]) RETURNS known_task[] LANGUAGE plpgsql
    SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off
    SET enable_hashjoin = off SET enable_mergejoin = off SET enable_material = off SET jit = off AS $$
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
                         NULL, NULL, NULL)::known_task),
           bool_and(coalesce(found.state <> 'settled', false))
    INTO v_known, v_open
    FROM (
        SELECT queued.*
        FROM (SELECT given.* FROM unnest(p_task_ids) WITH ORDINALITY AS given (task_id, place) ORDER BY given.task_id) AS asked
        LEFT JOIN LATERAL (
            SELECT work.* FROM task_work work
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
                   ended.released_credits + coalesce(later.released_credits, 0))::known_task
        FROM unnest(p_task_ids, v_known) WITH ORDINALITY
             AS queued (task_id, project_id, model, day, amount_credits, provider_task_id, reserved_credits, accepted_late,
                        state, lease_token, being_sent, ended_as, charged_credits, released_credits, place)
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
COMMENT ON FUNCTION known_tasks IS 'What is known of tasks, in the order asked for; locks their rows in the queue. Whoever calls it has locked the wallet''s row.';
REVOKE EXECUTE ON FUNCTION known_tasks FROM PUBLIC;
GRANT EXECUTE ON FUNCTION known_tasks TO usage_service;

-- Taking a task keeps its hold.
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
    v_taken task_work[];
    v_first uuid;
    v_last  uuid;
BEGIN
    WITH due AS MATERIALIZED (
        SELECT work.* FROM task_work work
        WHERE wallet_id = p_wallet_id AND due_at <= p_now AND task_id NOT IN (SELECT unnest(p_except))
        ORDER BY due_at
        LIMIT p_limit
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
    SELECT array_agg(taken.claimed) INTO v_taken FROM taken;
    IF v_taken IS NULL THEN
        RETURN;
    END IF;

    -- The bodies of those that are to be sent are looked for between the first of them and the last.
    v_first := (SELECT taken.task_id FROM unnest(v_taken) AS taken WHERE taken.provider_task_id IS NULL ORDER BY taken.task_id LIMIT 1);
    v_last := (SELECT taken.task_id FROM unnest(v_taken) AS taken WHERE taken.provider_task_id IS NULL ORDER BY taken.task_id DESC LIMIT 1);
    RETURN QUERY
    SELECT taken.task_id, taken.state, taken.lease_token, taken.attempts, taken.polls, taken.in_doubt, taken.first_sent_at,
           taken.provider_task_id,
           CASE WHEN taken.provider_task_id IS NULL THEN
               (SELECT body FROM task_request request
                WHERE request.wallet_id = p_wallet_id AND request.task_id = taken.task_id AND request.task_id BETWEEN v_first AND v_last)
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
    SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
    SET enable_material = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
    v_known known_task[];
BEGIN
    PERFORM FROM wallet_balance b WHERE b.wallet_id = p_wallet_id FOR UPDATE;
    v_known := known_tasks(p_wallet_id, p_task_ids);
    RETURN QUERY
    WITH asked AS (
        SELECT asked.*, row_number() OVER of_task AS turn,
               first_value(asked.provider_task_id) OVER of_task AS first_provider_task_id
        FROM unnest(p_task_ids, p_provider_task_ids, p_reserved_credits, p_accepted_ats, p_due_ats, v_known) WITH ORDINALITY
             AS asked (task_id, provider_task_id, reserved_credits, accepted_at, due_at,
                       project_id, model, day, amount_credits, known_provider_task_id, taken_credits, accepted_late,
                       state, lease_token, being_sent, ended_as, charged_credits, released_credits, place)
        WINDOW of_task AS (PARTITION BY asked.task_id ORDER BY asked.place)
    ), known AS (
        SELECT asked.place, asked.task_id, asked.provider_task_id, asked.accepted_at, asked.due_at,
               asked.amount_credits AS held, coalesce(asked.reserved_credits, asked.amount_credits) AS taken,
               asked.project_id, asked.model, asked.day,
               asked.ended_as IS NOT NULL AS ended,
               -- What the books already count as taken for it: a person may have charged it.
               coalesce(asked.charged_credits, 0)::bigint AS counted,
               CASE WHEN asked.amount_credits IS NULL THEN 'unknown_task'
                    WHEN asked.known_provider_task_id IS NULL AND asked.turn = 1 THEN 'accepted'
                    WHEN coalesce(asked.known_provider_task_id, asked.first_provider_task_id) = asked.provider_task_id
                        THEN 'already_accepted'
                    ELSE 'other_provider_task' END AS outcome
        FROM asked
    ), fact AS (
        SELECT known.place, known.task_id, known.provider_task_id, known.accepted_at, known.due_at, known.held, known.taken,
               known.project_id, known.model, known.day, known.ended, known.counted,
               CASE WHEN known.outcome = 'accepted'
                        AND (other.task_id IS NOT NULL
                             OR row_number() OVER (PARTITION BY known.provider_task_id, known.outcome ORDER BY known.place) > 1)
                    THEN 'provider_task_of_another' ELSE known.outcome END AS outcome
        FROM known
        LEFT JOIN acceptance other ON other.wallet_id = p_wallet_id AND other.provider_task_id = known.provider_task_id
            AND other.task_id <> known.task_id
    ), news AS MATERIALIZED (
        SELECT fact.*, p_wallet_id AS wallet_id, row_number() OVER (ORDER BY place) AS n FROM fact WHERE fact.outcome = 'accepted'
    ), balance AS (
        UPDATE wallet_balance b
        SET last_entry_number = b.last_entry_number + moved.entries,
            reserved_credits = b.reserved_credits + moved.difference,
            held_credits = b.held_credits + moved.difference,
            waiting_credits = b.waiting_credits - moved.waited,
            taken_credits = b.taken_credits + moved.taken
        FROM (SELECT count(*) AS entries, coalesce(sum(taken - held) FILTER (WHERE NOT ended), 0) AS difference,
                     coalesce(sum(held) FILTER (WHERE NOT ended), 0) AS waited, sum(taken - counted) AS taken
              FROM news) AS moved
        WHERE b.wallet_id = p_wallet_id AND moved.entries > 0
        RETURNING b.last_entry_number - moved.entries AS first_free
    ), added AS (
        INSERT INTO acceptance (wallet_id, task_id, entry_number, provider_task_id, held_credits, reserved_credits, accepted_at)
        SELECT p_wallet_id, news.task_id, balance.first_free + news.n, news.provider_task_id, news.held, news.taken, news.accepted_at
        FROM news, balance
        RETURNING entry_number, entry_line(acceptance) AS line
    ), hashed AS (
        INSERT INTO entry_hash (wallet_id, entry_number, hash)
        SELECT p_wallet_id, hashed.entry_number, hashed.hash
        FROM (SELECT array_agg(entry_number ORDER BY entry_number) AS numbers, array_agg(line ORDER BY entry_number) AS lines
              FROM added) AS grouped, entry_hashes(p_wallet_id, grouped.numbers, grouped.lines) AS hashed
    ), followed AS (
        -- Where a person's act had taken the row away, the entry's number is beyond every lease that the task has had.
        INSERT INTO task_work AS work (wallet_id, task_id, state, due_at, lease_token, first_sent_at, accepted_at, provider_task_id,
                                       project_id, model, day, amount_credits, reserved_credits)
        SELECT p_wallet_id, news.task_id, CASE WHEN news.ended THEN 'settled' ELSE 'accepted' END,
               news.due_at, balance.first_free + news.n, news.accepted_at, news.accepted_at, news.provider_task_id,
               news.project_id, news.model, news.day, news.held, news.taken
        FROM news, balance
        ON CONFLICT ON CONSTRAINT task_work_one_per_task DO UPDATE
        SET state = excluded.state, due_at = excluded.due_at, leased = false, lease_token = work.lease_token + 1,
            first_sent_at = coalesce(work.first_sent_at, excluded.first_sent_at),
            accepted_at = excluded.accepted_at, provider_task_id = excluded.provider_task_id,
            reserved_credits = excluded.reserved_credits
    ), difference AS (
        SELECT wallet_id, project_id, model, day, sum(taken - held) AS credits FROM news
        WHERE NOT ended AND taken <> held GROUP BY wallet_id, project_id, model, day
    ), totals AS (
        UPDATE day_total total
        SET reserved_credits = total.reserved_credits + difference.credits, held_credits = total.held_credits + difference.credits
        FROM difference
        WHERE total.wallet_id = difference.wallet_id AND total.day = difference.day AND total.project_id = difference.project_id
            AND total.model = difference.model
    ), counters AS (
        UPDATE budget_counter counter SET held_credits = counter.held_credits + moved.credits
        FROM (SELECT wallet_id, project_id, period.name AS period, period_start(period.name, day) AS starts_on, sum(credits) AS credits
              FROM difference, (VALUES ('day'), ('month'), ('total')) AS period (name) GROUP BY 1, 2, 3, 4) AS moved
        WHERE counter.wallet_id = moved.wallet_id AND counter.project_id = moved.project_id
            AND counter.period = moved.period AND counter.starts_on = moved.starts_on
    )
    SELECT fact.place, fact.outcome FROM fact ORDER BY fact.place;
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
    v_known known_task[];
BEGIN
    IF array_position(p_charged, NULL) IS NOT NULL OR cardinality(p_charged) <> cardinality(p_task_ids) THEN
        RAISE EXCEPTION 'a settlement names what is charged' USING ERRCODE = 'null_value_not_allowed';
    END IF;
    PERFORM FROM wallet_balance b WHERE b.wallet_id = p_wallet_id FOR UPDATE;
    v_known := known_tasks(p_wallet_id, p_task_ids);
    RETURN QUERY
    WITH fact AS (
        SELECT asked.*, coalesce(taken, price) AS held,
               CASE WHEN price IS NULL THEN 'unknown_task'
                    WHEN ended_as IS NOT NULL AND (resolved_by IS NOT NULL OR state IS NULL) THEN 'already_settled'
                    WHEN asked.lease_token <> coalesce(known_lease_token, -1) THEN 'fenced'
                    WHEN ending = 'rejected' AND provider_task_id IS NOT NULL THEN 'already_accepted'
                    WHEN ended_as IS NOT NULL THEN 'reread'
                    WHEN resolved_by IS NOT NULL AND being_sent THEN 'being_sent'
                    ELSE 'settled' END AS alone
        FROM unnest(p_task_ids, p_lease_tokens, p_outcomes, p_charged, p_error_codes, p_result_urls, p_resolved_bys,
                    p_reasons, p_settled_ats, p_recheck_ats, v_known) WITH ORDINALITY
             AS asked (task_id, lease_token, ending, charged, error_code, result_urls, resolved_by, reason, settled_at, recheck_at,
                       project_id, model, day, price, provider_task_id, taken, accepted_late,
                       state, known_lease_token, being_sent, ended_as, charged_before, released_before, place)
    ), judged AS (
        -- Of several endings of one task in a group, the first that can be booked is.
        SELECT fact.*,
               CASE WHEN alone IN ('settled', 'reread')
                        AND row_number() OVER (PARTITION BY task_id, alone IN ('settled', 'reread') ORDER BY place) > 1
                    THEN 'already_settled' ELSE alone END AS verdict
        FROM fact
    ), moved AS MATERIALIZED (
        -- What each row adds to the totals. A new settlement moves its hold; a correction moves the difference, first
        -- between released and charged, then into the reserved.
        SELECT judged.*, p_wallet_id AS wallet_id,
               CASE verdict WHEN 'settled' THEN charged ELSE charged - charged_before END AS add_charged,
               CASE verdict WHEN 'settled' THEN greatest(held - charged, 0)
                            ELSE greatest(charged_before - charged, -released_before) END AS add_released,
               CASE verdict WHEN 'settled' THEN held ELSE 0 END AS end_held,
               -- What the books count as taken for it so far.
               CASE WHEN verdict = 'settled' THEN coalesce(taken, 0) WHEN accepted_late THEN taken ELSE charged_before END AS counted,
               -- A success that costs nothing differs from its price as well.
               CASE WHEN charged = 0 AND coalesce(ended_as, ending) <> 'succeeded' THEN 0 ELSE charged - price END
                   - CASE WHEN ended_as IS NULL OR charged_before = 0 AND ended_as <> 'succeeded' THEN 0
                          ELSE charged_before - price END AS add_difference
        FROM judged WHERE verdict IN ('settled', 'reread')
    ), entry AS (
        SELECT moved.*, add_charged + add_released AS reserved_after,
               row_number() OVER (ORDER BY place) AS n
        FROM moved WHERE verdict = 'settled' OR add_charged <> 0
    ), balance AS (
        UPDATE wallet_balance b
        SET last_entry_number = b.last_entry_number + sums.entries,
            reserved_credits = b.reserved_credits + sums.charged + sums.released - sums.ended,
            charged_credits = b.charged_credits + sums.charged,
            released_credits = b.released_credits + sums.released,
            held_credits = b.held_credits - sums.ended,
            waiting_credits = b.waiting_credits - sums.waited,
            taken_credits = b.taken_credits + sums.taken,
            returned_credits = b.returned_credits + sums.returned
        FROM (SELECT count(*) FILTER (WHERE verdict = 'settled' OR add_charged <> 0) AS entries,
                     sum(add_charged) AS charged, sum(add_released) AS released, sum(end_held) AS ended,
                     coalesce(sum(held) FILTER (WHERE verdict = 'settled' AND taken IS NULL), 0) AS waited,
                     -- A charge beyond what was counted is only now known to have been taken: the last reading may not
                     -- have seen it leave.
                     sum(greatest(charged - counted, 0)) AS taken, sum(greatest(counted - charged, 0)) AS returned
              FROM moved) AS sums
        WHERE b.wallet_id = p_wallet_id AND sums.charged IS NOT NULL
        RETURNING b.last_entry_number - sums.entries AS first_free
    ), settled AS (
        INSERT INTO settlement (wallet_id, task_id, entry_number, outcome, evidence, reserved_credits, charged_credits,
                                released_credits, price_difference_credits, error_code, resolved_by, reason, result_urls, settled_at)
        SELECT p_wallet_id, task_id, first_free + n, ending, CASE WHEN resolved_by IS NULL THEN 'provider' ELSE 'person' END,
               reserved_after, add_charged, add_released, add_difference, error_code, resolved_by, reason, result_urls, settled_at
        FROM entry, balance WHERE verdict = 'settled'
        RETURNING entry_number, entry_line(settlement) AS line
    ), corrected AS (
        INSERT INTO correction (wallet_id, entry_number, task_id, reserved_credits, charged_credits, released_credits, reason, corrected_at)
        SELECT p_wallet_id, first_free + n, task_id, reserved_after, add_charged, add_released,
               format('the provider says %s with final_credits %s', ending, charged), settled_at
        FROM entry, balance WHERE verdict = 'reread'
        RETURNING entry_number, entry_line(correction) AS line
    ), hashed AS (
        INSERT INTO entry_hash (wallet_id, entry_number, hash)
        SELECT p_wallet_id, hashed.entry_number, hashed.hash
        FROM (SELECT array_agg(entry_number ORDER BY entry_number) AS numbers, array_agg(line ORDER BY entry_number) AS lines
              FROM (SELECT * FROM settled UNION ALL SELECT * FROM corrected) AS added) AS grouped,
             entry_hashes(p_wallet_id, grouped.numbers, grouped.lines) AS hashed
    ), totals AS (
        UPDATE day_total total
        SET succeeded = total.succeeded + sums.succeeded, failed = total.failed + sums.failed,
            reserved_credits = total.reserved_credits + sums.charged + sums.released - sums.ended,
            charged_credits = total.charged_credits + sums.charged,
            released_credits = total.released_credits + sums.released,
            held_credits = total.held_credits - sums.ended,
            price_difference_credits = total.price_difference_credits + sums.difference
        FROM (SELECT wallet_id, project_id, model, day, sum(add_charged) AS charged, sum(add_released) AS released, sum(end_held) AS ended,
                     sum(add_difference) AS difference,
                     count(*) FILTER (WHERE verdict = 'settled' AND ending = 'succeeded') AS succeeded,
                     count(*) FILTER (WHERE verdict = 'settled' AND ending <> 'succeeded') AS failed
              FROM entry GROUP BY wallet_id, project_id, model, day) AS sums
        WHERE total.wallet_id = sums.wallet_id AND total.day = sums.day AND total.project_id = sums.project_id
            AND total.model = sums.model
    ), counters AS (
        UPDATE budget_counter counter
        SET held_credits = counter.held_credits - sums.ended, charged_credits = counter.charged_credits + sums.charged
        FROM (SELECT wallet_id, project_id, period.name AS period, period_start(period.name, day) AS starts_on,
                     sum(end_held) AS ended, sum(add_charged) AS charged
              FROM entry, (VALUES ('day'), ('month'), ('total')) AS period (name) GROUP BY 1, 2, 3, 4) AS sums
        WHERE counter.wallet_id = sums.wallet_id AND counter.project_id = sums.project_id
            AND counter.period = sums.period AND counter.starts_on = sums.starts_on
    ), finished AS (
        DELETE FROM task_work work USING moved
        WHERE work.wallet_id = moved.wallet_id AND work.task_id = moved.task_id
            AND (verdict = 'reread' OR moved.recheck_at IS NULL OR moved.provider_task_id IS NULL)
    ), rechecked AS (
        UPDATE task_work work
        SET state = 'settled', due_at = moved.recheck_at, leased = false, lease_token = work.lease_token + 1
        FROM moved
        WHERE work.wallet_id = moved.wallet_id AND work.task_id = moved.task_id
            AND verdict = 'settled' AND moved.recheck_at IS NOT NULL AND moved.provider_task_id IS NOT NULL
    )
    SELECT judged.place,
           CASE WHEN verdict = 'reread' AND judged.charged <> judged.charged_before THEN 'corrected'
                WHEN verdict = 'reread' THEN 'confirmed' ELSE verdict END
    FROM judged ORDER BY judged.place;
END
$$;

-- The guard, as before; refusals are added in a statement of their own, as most groups have none.
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
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET enable_material = off SET jit = off
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
    v_last_at     timestamptz;
    v_same_prices boolean;
    v_counter     integer;
    v_refused     boolean := false;
    v_refused_numbers bigint[];
    v_refused_lines   text[];
BEGIN
    SELECT b.* INTO STRICT v_balance FROM wallet_balance b WHERE b.wallet_id = p_wallet_id FOR UPDATE;
    v_available := available_credits(v_balance);
    v_entry := v_balance.last_entry_number;
    v_held := v_balance.held_credits;

    -- Requests between whose times no price begins are priced at one moment, so each price is looked up once.
    SELECT wallet.time_zone, asked.last_at, NOT EXISTS (
        SELECT FROM price
        WHERE price.wallet_id = p_wallet_id AND price.effective_from > asked.first_at AND price.effective_from <= asked.last_at)
    INTO v_time_zone, v_last_at, v_same_prices
    FROM wallet, (SELECT min(given.at) AS first_at, max(given.at) AS last_at FROM unnest(p_ats) AS given (at)) AS asked
    WHERE wallet.wallet_id = p_wallet_id;

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
        v_refused := true;
    END LOOP;

    IF v_refused THEN
        WITH turned_away AS (
            INSERT INTO refusal (wallet_id, task_id, entry_number, project_id, model, amount_credits, day, reasons,
                                 client_request_id, refused_at)
            SELECT p_wallet_id, task_id, number, project_id, model, amount, day, reasons, client_request_id, at
            FROM unnest(v_numbers, v_refusals, p_task_ids, v_project_ids, p_models, v_amounts, v_days, p_client_request_ids, p_ats)
                 AS asked (number, reasons, task_id, project_id, model, amount, day, client_request_id, at)
            WHERE reasons IS NOT NULL
            RETURNING entry_number, entry_line(refusal) AS line
        )
        SELECT array_agg(turned_away.entry_number), array_agg(line) INTO v_refused_numbers, v_refused_lines FROM turned_away;
    END IF;

    IF v_entry > v_balance.last_entry_number THEN
        WITH asked AS MATERIALIZED (
            SELECT asked.*
            FROM unnest(v_numbers, v_admitted, p_task_ids, v_project_ids, p_models, v_price_ids, v_amounts, v_held_after, v_days,
                        p_client_request_ids, p_request_sha256s, p_bodies, p_ats)
                 AS asked (number, admitted, task_id, project_id, model, price_id, amount, held_after, day,
                           client_request_id, request_sha256, body, at)
            WHERE asked.number IS NOT NULL
        ), answered AS (
            INSERT INTO client_request (wallet_id, client_request_id, task_id, request_sha256)
            SELECT p_wallet_id, client_request_id, task_id, request_sha256 FROM asked
        ), stored AS (
            INSERT INTO task_request (wallet_id, task_id, body)
            SELECT p_wallet_id, task_id, body FROM asked WHERE admitted AND body IS NOT NULL
        ), queued AS (
            INSERT INTO task_work (wallet_id, task_id, state, due_at, project_id, model, day, amount_credits)
            SELECT p_wallet_id, task_id, 'queued', CASE WHEN body IS NOT NULL THEN least(at, clock_timestamp()) END,
                   project_id, model, day, amount
            FROM asked WHERE admitted
        ), held AS (
            INSERT INTO reservation (wallet_id, task_id, entry_number, project_id, model, price_id, amount_credits,
                                     wallet_held_credits, day, client_request_id, reserved_at)
            SELECT p_wallet_id, task_id, number, project_id, model, price_id, amount, held_after, day, client_request_id, at
            FROM asked WHERE admitted
            RETURNING entry_number, entry_line(reservation) AS line
        ), counted AS (
            INSERT INTO day_total AS total (wallet_id, day, project_id, model, tasks, refused, reserved_credits, held_credits)
            SELECT p_wallet_id, day, project_id, model, count(*) FILTER (WHERE admitted), count(*) FILTER (WHERE NOT admitted),
                   coalesce(sum(amount) FILTER (WHERE admitted), 0), coalesce(sum(amount) FILTER (WHERE admitted), 0)
            FROM asked GROUP BY day, project_id, model
            ON CONFLICT ON CONSTRAINT day_total_key DO UPDATE SET
                tasks = total.tasks + excluded.tasks, refused = total.refused + excluded.refused,
                reserved_credits = total.reserved_credits + excluded.reserved_credits,
                held_credits = total.held_credits + excluded.held_credits
        ), moved AS MATERIALIZED (
            -- With the wallet's id, so that each counter is looked up by its key and not all of the wallet's are compared with each.
            SELECT p_wallet_id AS wallet_id, moved.*
            FROM unnest(v_projects, v_periods, v_starts, v_used, v_counted) AS moved (project_id, period, starts_on, used, counted)
            WHERE moved.used <> moved.counted
        ), used AS (
            UPDATE budget_counter counter
            SET held_credits = counter.held_credits + moved.used - moved.counted
            FROM moved
            WHERE counter.wallet_id = moved.wallet_id AND counter.project_id = moved.project_id
                AND counter.period = moved.period AND counter.starts_on = moved.starts_on
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
              FROM (SELECT * FROM held UNION ALL SELECT * FROM unnest(v_refused_numbers, v_refused_lines)
                    ORDER BY entry_number) AS added) AS grouped,
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
