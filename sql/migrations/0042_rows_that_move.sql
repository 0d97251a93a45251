-- 0042_rows_that_move.sql: whoever looks for a task waits while its rows move to the partition of their month.
--
-- A plan that was being made meanwhile knew the old partitions only, waited for the default one, and then found nothing in it any more: a
-- task was taken up without its request, a correction had no task, a guard miss left the gate open.
CREATE OR REPLACE FUNCTION make_partitions(p_from timestamptz, p_until timestamptz) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    v_tables    text[] := ARRAY['refusal', 'task_request', 'reservation', 'settlement'];
    v_first     timestamp := date_trunc('month', p_from AT TIME ZONE 'UTC');
    v_last      timestamp := date_trunc('month', p_until AT TIME ZONE 'UTC');
    v_is_moving boolean;
    v_table     text;
    v_name      text;
    v_month     timestamp;
    v_least     uuid;
    v_end       uuid;
    v_made      integer := 0;
BEGIN
    IF NOT EXISTS (
        SELECT FROM generate_series(v_first, v_last, interval '1 month') AS month, unnest(v_tables) AS name
        WHERE to_regclass(name || to_char(month, '_YYYY_MM')) IS NULL
    ) THEN
        RETURN 0;
    END IF;
    -- All locks are taken before any work, in the order in which reserve() comes to the tables, so that the two do not wait for each other.
    -- Where rows wait for their month, the tables are locked as wholes, since every plan begins there.
    v_is_moving := is_a_month_waited_for(v_first, v_last);
    IF v_is_moving THEN
        LOCK TABLE ONLY refusal, ONLY task_request, ONLY reservation, ONLY settlement;
    END IF;
    LOCK TABLE refusal_default, task_request_default, reservation_default, settlement_default;
    IF NOT v_is_moving AND is_a_month_waited_for(v_first, v_last) THEN
        RAISE EXCEPTION 'rows have come that wait for their month' USING ERRCODE = 'lock_not_available', HINT = 'Make the partitions again.';
    END IF;
    FOR v_month IN SELECT generate_series(v_first, v_last, interval '1 month') LOOP
        v_least := least_task_id(v_month AT TIME ZONE 'UTC');
        v_end := least_task_id((v_month + interval '1 month') AT TIME ZONE 'UTC');
        FOREACH v_table IN ARRAY v_tables LOOP
            v_name := v_table || to_char(v_month, '_YYYY_MM');
            CONTINUE WHEN to_regclass(v_name) IS NOT NULL;
            -- Attached when it is complete: unless rows move, that locks nobody out who reads or adds rows of other months.
            EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', v_name, v_table);
            EXECUTE format('WITH moved AS (DELETE FROM %I WHERE task_id >= %L AND task_id < %L RETURNING *) INSERT INTO %I SELECT * FROM moved',
                           v_table || '_default', v_least, v_end, v_name);
            EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', v_table, v_name, v_least, v_end);
            EXECUTE format('COMMENT ON TABLE %I IS %L', v_name, format('Rows of %s whose tasks were made in %s.', v_table, to_char(v_month, 'YYYY-MM')));
            v_made := v_made + 1;
        END LOOP;
    END LOOP;
    RETURN v_made;
END
$$;

CREATE FUNCTION is_a_month_waited_for(p_first timestamp, p_last timestamp) RETURNS boolean LANGUAGE sql AS $$
    SELECT EXISTS (
        SELECT FROM (
            SELECT task_id FROM refusal_default UNION ALL SELECT task_id FROM task_request_default
            UNION ALL SELECT task_id FROM reservation_default UNION ALL SELECT task_id FROM settlement_default
        ) AS waiting
        WHERE task_id >= least_task_id(p_first AT TIME ZONE 'UTC')
            AND task_id < least_task_id((p_last + interval '1 month') AT TIME ZONE 'UTC'))
$$;
COMMENT ON FUNCTION is_a_month_waited_for IS 'Whether rows lie in the default partitions whose tasks were made from one month (UTC) to another.';
REVOKE EXECUTE ON FUNCTION is_a_month_waited_for FROM PUBLIC;

-- Whoever finds another one at it leaves it to that one. It waits less for a lock than PostgreSQL by default does before it looks for a
-- deadlock: if somebody has to give way, it is this, and it is called again.
CREATE OR REPLACE FUNCTION make_partitions() RETURNS integer LANGUAGE sql SECURITY DEFINER
    SET search_path = public, pg_temp SET lock_timeout = '250ms'
AS $$
    SELECT CASE WHEN pg_try_advisory_xact_lock(hashtextextended('make_partitions', 0))
                THEN make_partitions(clock_timestamp(), clock_timestamp() + interval '2 months') ELSE 0 END
$$;
COMMENT ON FUNCTION make_partitions() IS 'Makes the partitions of this month and the next two, by the database''s clock, where they are missing; returns how many it made, none while another session makes them.';
