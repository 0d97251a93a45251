-- 0021_accept_hashed.sql: acceptances, which now join the hash chain; and one provider task stands for one task.
--
-- An answer can come to the wrong request, such as by a proxy that repeats one. What it says is then booked once at most: a
-- second task that is given the provider's id of another is not accepted by it, and its hold stays.
ALTER TABLE acceptance ADD CONSTRAINT acceptance_one_task_per_provider_task UNIQUE (wallet_id, provider_task_id);

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
) RETURNS TABLE (place bigint, outcome text) LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    PERFORM FROM wallet_balance b WHERE b.wallet_id = p_wallet_id FOR UPDATE;
    -- A claim does not take the wallet's lock: one that commits at this moment is waited for, so that its lease is seen.
    PERFORM FROM task_work w WHERE w.wallet_id = p_wallet_id AND w.task_id = ANY (p_task_ids) ORDER BY w.task_id FOR UPDATE;
    RETURN QUERY
    WITH asked AS (
        SELECT asked.*, row_number() OVER of_task AS turn,
               first_value(asked.provider_task_id) OVER of_task AS first_provider_task_id
        FROM unnest(p_task_ids, p_provider_task_ids, p_reserved_credits, p_accepted_ats, p_due_ats) WITH ORDINALITY
             AS asked (task_id, provider_task_id, reserved_credits, accepted_at, due_at, place)
        WINDOW of_task AS (PARTITION BY asked.task_id ORDER BY asked.place)
    ), known AS (
        SELECT asked.place, asked.task_id, asked.provider_task_id, asked.accepted_at, asked.due_at,
               hold.amount_credits AS held, coalesce(asked.reserved_credits, hold.amount_credits) AS taken,
               hold.project_id, hold.model, hold.day,
               ended.task_id IS NOT NULL AS ended,
               -- What the books already count as taken for it: a person may have charged it.
               coalesce(ended.charged_credits, 0)::bigint AS counted,
               CASE WHEN hold.task_id IS NULL THEN 'unknown_task'
                    WHEN before.task_id IS NULL AND asked.turn = 1 THEN 'accepted'
                    WHEN coalesce(before.provider_task_id, asked.first_provider_task_id) = asked.provider_task_id
                        THEN 'already_accepted'
                    ELSE 'other_provider_task' END AS outcome
        FROM asked
        LEFT JOIN reservation hold ON hold.wallet_id = p_wallet_id AND hold.task_id = asked.task_id
        LEFT JOIN acceptance before ON before.wallet_id = p_wallet_id AND before.task_id = asked.task_id
        LEFT JOIN settlement ended ON ended.wallet_id = p_wallet_id AND ended.task_id = asked.task_id
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
    ), news AS (
        SELECT fact.*, row_number() OVER (ORDER BY place) AS n FROM fact WHERE fact.outcome = 'accepted'
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
        INSERT INTO task_work AS work (wallet_id, task_id, state, due_at, lease_token, first_sent_at, accepted_at, provider_task_id)
        SELECT p_wallet_id, news.task_id, CASE WHEN news.ended THEN 'settled' ELSE 'accepted' END,
               news.due_at, balance.first_free + news.n, news.accepted_at, news.accepted_at, news.provider_task_id
        FROM news, balance
        ON CONFLICT ON CONSTRAINT task_work_one_per_task DO UPDATE
        SET state = excluded.state, due_at = excluded.due_at, leased = false, lease_token = work.lease_token + 1,
            first_sent_at = coalesce(work.first_sent_at, excluded.first_sent_at),
            accepted_at = excluded.accepted_at, provider_task_id = excluded.provider_task_id
    ), difference AS (
        SELECT project_id, model, day, sum(taken - held) AS credits FROM news
        WHERE NOT ended AND taken <> held GROUP BY project_id, model, day
    ), totals AS (
        UPDATE day_total total
        SET reserved_credits = total.reserved_credits + difference.credits, held_credits = total.held_credits + difference.credits
        FROM difference
        WHERE total.wallet_id = p_wallet_id AND total.day = difference.day AND total.project_id = difference.project_id
            AND total.model = difference.model
    ), counters AS (
        UPDATE budget_counter counter SET held_credits = counter.held_credits + moved.credits
        FROM (SELECT project_id, period.name AS period, period_start(period.name, day) AS starts_on, sum(credits) AS credits
              FROM difference, (VALUES ('day'), ('month'), ('total')) AS period (name) GROUP BY 1, 2, 3) AS moved
        WHERE counter.wallet_id = p_wallet_id AND counter.project_id = moved.project_id
            AND counter.period = moved.period AND counter.starts_on = moved.starts_on
    )
    SELECT fact.place, fact.outcome FROM fact ORDER BY fact.place;
END
$$;
COMMENT ON FUNCTION accept IS 'Books that the provider accepted a group of tasks; answers each: accepted, already_accepted, other_provider_task, provider_task_of_another or unknown_task.';
