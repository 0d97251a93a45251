-- 0046_acceptance_by_key.sql: what is known of an ended task finds its acceptance by the task, whatever the statistics say.
--
-- Both keys of an acceptance begin with the wallet, and where the planner takes the table for one row they cost it the same. It took the
-- one by the provider's ids, and all of the wallet's acceptances were read for each ended task that somebody settled again. Only the key
-- by tasks gives the order that is asked for here.
CREATE OR REPLACE FUNCTION known_tasks(p_wallet_id bigint, p_task_ids uuid[]) RETURNS known_task[] LANGUAGE plpgsql AS $$
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
