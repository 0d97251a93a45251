-- 0016_record_reading.sql: books a reading of the provider's balance and what it cannot be explained by.
--
-- A reading has surely seen what was booked before it was asked for, and nothing else is sure: credits held since, or
-- not yet known to be taken, may have left already; credits of tasks that run may have come back already. Of all that
-- could have left the wallet by no task of ours, the figure nearest to the last is taken, so a quiet wallet is exact and
-- a busy one raises no false alarm.
CREATE FUNCTION record_reading(
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

    INSERT INTO wallet_reading (wallet_id, entry_number, current_credits, seen_entry_number, unattributed_credits, day,
                                evidence, recorded_by, read_at)
    SELECT p_wallet_id, v_balance.last_entry_number + 1, p_current_credits, p_seen_number,
           v_unattributed - v_balance.unattributed_credits, (p_read_at AT TIME ZONE wallet.time_zone)::date,
           CASE WHEN p_recorded_by IS NULL THEN 'provider' ELSE 'person' END, p_recorded_by, p_read_at
    FROM wallet WHERE wallet.wallet_id = p_wallet_id;

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
COMMENT ON FUNCTION record_reading IS 'Books a reading; one asked for before the last is kept but changes nothing else.';

REVOKE EXECUTE ON FUNCTION record_reading FROM PUBLIC;
GRANT EXECUTE ON FUNCTION record_reading TO usage_service;
