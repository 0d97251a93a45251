-- 0037_one_link_a_group.sql: the hash chain grows by one row for each group of entries, not by one for each entry.
--
-- The chain itself stays what it was (0019, docs/entry-chain.md): each entry has its own hash, made from the one before. Only
-- where the hashes are kept changes: one after the other in one row for each group of entries that was added together. A link
-- begins where another one ends, as its first hash is made from that one's last, and no two links begin or end at the same number. So
-- the numbers of a wallet's entries have no gap and no fork.
CREATE TABLE entry_link (
    wallet_id          bigint NOT NULL,
    first_entry_number bigint NOT NULL,
    last_entry_number  bigint NOT NULL,
    hashes             bytea  NOT NULL,
    CONSTRAINT entry_link_ends_once PRIMARY KEY (wallet_id, last_entry_number),
    CONSTRAINT entry_link_begins_once UNIQUE (wallet_id, first_entry_number),
    CONSTRAINT entry_link_has_all_hashes
        CHECK (first_entry_number <= last_entry_number AND length(hashes) = 32 * (last_entry_number - first_entry_number + 1))
);
-- Hashes do not get shorter by compression.
ALTER TABLE entry_link ALTER hashes SET STORAGE EXTERNAL;
COMMENT ON TABLE entry_link IS 'The hash chain of each wallet, one link for each group of entries, added in the same statement. Rows are added, never changed.';
COMMENT ON COLUMN entry_link.first_entry_number IS 'The group''s first entry, which follows the last one of the link before; 1 in a wallet''s first link.';
COMMENT ON COLUMN entry_link.last_entry_number IS 'The group''s last entry.';
COMMENT ON COLUMN entry_link.hashes IS 'For each entry 32 bytes, in order: SHA-256 of the hash before it (32 zero bytes before the first) and the entry''s line.';

-- What is there already becomes links of as many as a group's have at the most.
INSERT INTO entry_link (wallet_id, first_entry_number, last_entry_number, hashes)
SELECT wallet_id, min(entry_number), max(entry_number), string_agg(hash, '' ORDER BY entry_number)
FROM entry_hash GROUP BY wallet_id, (entry_number - 1) / 256;
DROP TABLE entry_hash;
DROP FUNCTION entry_hashes;

CREATE VIEW entry_hash AS
SELECT link.wallet_id, entry.number AS entry_number, substr(link.hashes, 32 * entry.place + 1, 32) AS hash,
       CASE WHEN entry.place > 0 THEN substr(link.hashes, 32 * entry.place - 31, 32) ELSE link.hash_before END AS hash_before
FROM (
    -- Read from storage once for all of its entries.
    SELECT one.wallet_id, one.first_entry_number, one.last_entry_number, one.hashes || '' AS hashes,
           (SELECT substr(before.hashes, length(before.hashes) - 31) FROM entry_link before
            WHERE before.wallet_id = one.wallet_id AND before.last_entry_number = one.first_entry_number - 1) AS hash_before
    FROM entry_link one
    OFFSET 0
) AS link, LATERAL (
    SELECT number, (number - link.first_entry_number)::integer AS place
    FROM generate_series(link.first_entry_number, link.last_entry_number) AS number
) AS entry;
COMMENT ON VIEW entry_hash IS 'The hash of each entry, and the one that it was made from (null before the first, and where that link is missing).';

-- Whoever adds entries has locked the wallet's row before, so no other link can come between. A link of many hashes takes long
-- to put together, so a large group gets several.
CREATE FUNCTION entry_links(p_wallet_id bigint, p_first_entry_number bigint, p_lines text[]) RETURNS TABLE (wallet_id bigint, first_entry_number bigint, last_entry_number bigint, hashes bytea)
LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
DECLARE
    v_count  integer := coalesce(cardinality(p_lines), 0);
    v_hash   bytea;
    v_hashes bytea := '';
BEGIN
    IF v_count > 0 AND p_first_entry_number > 1 THEN
        SELECT substr(before.hashes, length(before.hashes) - 31) INTO STRICT v_hash FROM entry_link before
        WHERE before.wallet_id = p_wallet_id AND before.last_entry_number = p_first_entry_number - 1;
    END IF;
    FOR i IN 1 .. v_count LOOP
        v_hash := entry_hash_after(v_hash, p_lines[i]);
        v_hashes := v_hashes || v_hash;
        IF i = v_count OR i % 256 = 0 THEN
            wallet_id := p_wallet_id;
            last_entry_number := p_first_entry_number + i - 1;
            first_entry_number := last_entry_number - length(v_hashes) / 32 + 1;
            hashes := v_hashes;
            RETURN NEXT;
            v_hashes := '';
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION entry_links IS 'The links of a group of new entries of a wallet, from the number of the first and their lines in order: one for each 256 of them.';

GRANT SELECT ON entry_link TO usage_service, usage_report;
GRANT SELECT ON entry_hash TO usage_report;
GRANT INSERT ON entry_link TO usage_service;

-- Whoever adds entries, with the link; for the rest as before.
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
    ), linked AS (
        INSERT INTO entry_link
        SELECT link.*
        FROM (SELECT min(entry_number) AS first, array_agg(line ORDER BY entry_number) AS lines FROM added) AS grouped,
             entry_links(p_wallet_id, grouped.first, grouped.lines) AS link
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
    ), linked AS (
        INSERT INTO entry_link
        SELECT link.*
        FROM (SELECT min(entry_number) AS first, array_agg(line ORDER BY entry_number) AS lines
              FROM (SELECT * FROM settled UNION ALL SELECT * FROM corrected) AS added) AS grouped,
             entry_links(p_wallet_id, grouped.first, grouped.lines) AS link
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
    INSERT INTO entry_link SELECT link.* FROM added, entry_links(p_wallet_id, entry_number, ARRAY[line]) AS link;

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
    INSERT INTO entry_link SELECT link.* FROM added, entry_links(p_wallet_id, v_entry, ARRAY[line]) AS link;
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
