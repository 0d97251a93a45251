-- 0032_task_queue.sql: taking tasks, keeping them and giving them back, with plans that hang on no statistics.
--
-- task_work is empty one moment and has ten thousand rows the next. A plan that was made while it was empty goes through all of
-- it, and stays with its connection until the table is analysed: each claim then costs as much as there are tasks. So these
-- functions leave the planner nothing but look-ups by key. There is no join in them, as of two tables that seem empty either
-- may come first.
CREATE FUNCTION claim(
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
    SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
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
             provider_task_id)
        SELECT wallet_id, task_id, CASE WHEN state IN ('queued', 'unknown') THEN 'sending' ELSE state END,
               p_lease_until, lease_token + 1, true, attempts + (provider_task_id IS NULL)::integer, polls,
               -- A lease that ran out while its task was being sent leaves the doubt whether it was.
               in_doubt OR state IN ('sending', 'unknown'),
               -- Earlier requests that were surely not taken do not count: only a doubt has to end in time.
               CASE WHEN state = 'queued' AND NOT in_doubt THEN p_now ELSE first_sent_at END,
               accepted_at, provider_task_id
        FROM due
        ON CONFLICT ON CONSTRAINT task_work_one_per_task DO UPDATE
        SET state = excluded.state, due_at = excluded.due_at, lease_token = excluded.lease_token, leased = true,
            attempts = excluded.attempts, in_doubt = excluded.in_doubt, first_sent_at = excluded.first_sent_at
        RETURNING work.*
    )
    SELECT taken.task_id, taken.state, taken.lease_token, taken.attempts, taken.polls, taken.in_doubt, taken.first_sent_at,
           taken.provider_task_id,
           CASE WHEN taken.provider_task_id IS NULL THEN
               (SELECT body FROM task_request request WHERE request.wallet_id = taken.wallet_id AND request.task_id = taken.task_id)
           END,
           -- By this clock, not by the provider's, whose stamp the task's row has. The order, in which only the key has its
           -- rows, keeps the planner from the other index that begins with the wallet.
           CASE WHEN taken.provider_task_id IS NOT NULL THEN
               (SELECT recorded_at FROM acceptance
                WHERE acceptance.wallet_id = taken.wallet_id AND acceptance.task_id BETWEEN taken.task_id AND taken.task_id
                ORDER BY acceptance.task_id LIMIT 1)
           END
    FROM taken;
END
$$;
COMMENT ON FUNCTION claim IS 'Leases due tasks. One that is taken to be sent is marked as sending, and counted as an attempt, before its first byte leaves.';

CREATE FUNCTION next_due(p_wallet_id bigint, OUT due_at timestamptz, OUT is_unfinished boolean) LANGUAGE plpgsql STABLE
    SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $$
BEGIN
    SELECT work.due_at INTO due_at FROM task_work work
    WHERE work.wallet_id = p_wallet_id AND work.due_at IS NOT NULL ORDER BY work.due_at LIMIT 1;
    -- What is only read once more is due last, so it is gone through only when nothing else is left.
    PERFORM FROM task_work work
    WHERE work.wallet_id = p_wallet_id AND work.due_at IS NOT NULL AND work.state <> 'settled' ORDER BY work.due_at LIMIT 1;
    is_unfinished := FOUND;
END
$$;
COMMENT ON FUNCTION next_due IS 'When the next task of a wallet is due or the next lease ends, and whether a worker has anything left to bring to an end.';

CREATE FUNCTION schedule(
    p_wallet_id    bigint,
    p_task_ids     uuid[],
    p_lease_tokens bigint[],
    p_states       text[],
    p_due_ats      timestamptz[],
    p_polled       boolean[]
) RETURNS void LANGUAGE plpgsql
    SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off AS $$
DECLARE
    given record;
BEGIN
    -- By key, as all who write several tasks do, so that none waits for another in a circle.
    FOR given IN
        SELECT asked.* FROM unnest(p_task_ids, p_lease_tokens, p_states, p_due_ats, p_polled)
            AS asked (task_id, lease_token, state, due_at, polled)
        ORDER BY asked.task_id
    LOOP
        UPDATE task_work work
        SET state = given.state, due_at = given.due_at, leased = false, polls = work.polls + given.polled::integer
        WHERE work.wallet_id = p_wallet_id AND work.task_id = given.task_id AND work.lease_token = given.lease_token;
    END LOOP;
END
$$;
COMMENT ON FUNCTION schedule IS 'Gives leased tasks back; one whose lease token has moved on is left alone.';

CREATE FUNCTION extend_leases(
    p_wallet_id bigint, p_task_ids uuid[], p_lease_tokens bigint[], p_until timestamptz
) RETURNS SETOF uuid LANGUAGE plpgsql
    SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off AS $$
DECLARE
    asked record;
BEGIN
    FOR asked IN SELECT leases.* FROM unnest(p_task_ids, p_lease_tokens) AS leases (task_id, lease_token) LOOP
        PERFORM FROM task_work work
        WHERE work.wallet_id = p_wallet_id AND work.task_id = asked.task_id AND work.lease_token = asked.lease_token AND work.leased
        FOR UPDATE SKIP LOCKED;
        CONTINUE WHEN NOT FOUND;
        UPDATE task_work work SET due_at = p_until WHERE work.wallet_id = p_wallet_id AND work.task_id = asked.task_id;
        RETURN NEXT asked.task_id;
    END LOOP;
END
$$;
COMMENT ON FUNCTION extend_leases IS 'Extends leases; returns those that are still held. A task that is being written at this moment is left out: two that write several never wait for each other here.';

REVOKE EXECUTE ON FUNCTION claim, next_due, schedule, extend_leases FROM PUBLIC;
GRANT EXECUTE ON FUNCTION claim, next_due, schedule, extend_leases TO usage_service;
