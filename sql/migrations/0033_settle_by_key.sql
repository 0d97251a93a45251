-- 0033_settle_by_key.sql: a settlement finds the rows that it changes by their keys, on a fresh database too.
--
-- Where a table seems empty, the planner would rather go through all rows of the wallet and compare each with each settlement of the
-- group than look one up for each. It cannot where the wallet's id comes out of the list of settlements.
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
    SET enable_hashjoin = off SET enable_mergejoin = off SET enable_material = off AS $$
#variable_conflict use_column
BEGIN
    IF array_position(p_charged, NULL) IS NOT NULL OR cardinality(p_charged) <> cardinality(p_task_ids) THEN
        RAISE EXCEPTION 'a settlement names what is charged' USING ERRCODE = 'null_value_not_allowed';
    END IF;
    PERFORM FROM wallet_balance b WHERE b.wallet_id = p_wallet_id FOR UPDATE;
    -- A claim does not take the wallet's lock: one that commits at this moment is waited for, so that its lease is seen.
    PERFORM FROM task_work w WHERE w.wallet_id = p_wallet_id AND w.task_id = ANY (p_task_ids) ORDER BY w.task_id FOR UPDATE;
    RETURN QUERY
    WITH asked AS (
        SELECT asked.*
        FROM unnest(p_task_ids, p_lease_tokens, p_outcomes, p_charged, p_error_codes, p_result_urls, p_resolved_bys,
                    p_reasons, p_settled_ats, p_recheck_ats) WITH ORDINALITY
             AS asked (task_id, lease_token, ending, charged, error_code, result_urls, resolved_by, reason, settled_at, recheck_at, place)
    ), fact AS (
        SELECT asked.*, hold.amount_credits AS price, hold.project_id, hold.model, hold.day,
               taken.reserved_credits AS taken, work.provider_task_id,
               coalesce(taken.reserved_credits, hold.amount_credits) AS held,
               ended.charged_credits + coalesce(later.charged, 0) AS charged_before,
               ended.released_credits + coalesce(later.released, 0) AS released_before,
               taken.entry_number > ended.entry_number AS accepted_late, ended.outcome AS ended_as,
               CASE WHEN hold.task_id IS NULL THEN 'unknown_task'
                    WHEN ended.task_id IS NOT NULL AND (asked.resolved_by IS NOT NULL OR work.state IS NULL) THEN 'already_settled'
                    WHEN asked.lease_token <> coalesce(work.lease_token, -1) THEN 'fenced'
                    WHEN asked.ending = 'rejected' AND taken.task_id IS NOT NULL THEN 'already_accepted'
                    WHEN ended.task_id IS NOT NULL THEN 'reread'
                    WHEN asked.resolved_by IS NOT NULL AND work.state = 'sending' AND work.leased AND work.due_at > clock_timestamp()
                        THEN 'being_sent'
                    ELSE 'settled' END AS alone
        FROM asked
        LEFT JOIN reservation hold ON hold.wallet_id = p_wallet_id AND hold.task_id = asked.task_id
        LEFT JOIN acceptance taken ON taken.wallet_id = p_wallet_id AND taken.task_id = asked.task_id
        LEFT JOIN settlement ended ON ended.wallet_id = p_wallet_id AND ended.task_id = asked.task_id
        LEFT JOIN task_work work ON work.wallet_id = p_wallet_id AND work.task_id = asked.task_id
        LEFT JOIN LATERAL (
            SELECT sum(c.charged_credits)::bigint AS charged, sum(c.released_credits)::bigint AS released
            FROM correction c WHERE c.wallet_id = p_wallet_id AND c.task_id = ended.task_id) AS later ON true
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
