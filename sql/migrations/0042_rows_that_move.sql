-- 0042_rows_that_move.sql: whoever looks for a task waits while its rows move to the partition of their month.
--
-- A plan that was being made meanwhile knew the old partitions only, waited for the default one, and then found nothing in it any more: a
-- task was taken up without its request, a correction had no task, a guard miss left the gate open.
CREATE OR REPLACE FUNCTION make_partitions(p_from timestamptz, p_until timestamptz) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    v_first     timestamp := date_trunc('month', p_from AT TIME ZONE 'UTC');
    v_last      timestamp := date_trunc('month', p_until AT TIME ZONE 'UTC');
    v_from_id   uuid := least_task_id(v_first AT TIME ZONE 'UTC');
    v_end_id    uuid := least_task_id((v_last + interval '1 month') AT TIME ZONE 'UTC');
    v_is_moving boolean;
    v_is_found  boolean;
    v_table     text;
    v_name      text;
    v_month     timestamp;
    v_least     uuid;
    v_end       uuid;
    v_made      integer := 0;
BEGIN
    -- Where rows wait for their month, the tables are locked as wholes, since every plan begins there; all of them first, in the order in
    -- which reserve() comes to them, so that the two do not wait for each other.
    v_is_moving := EXISTS (SELECT FROM reservation_default WHERE task_id >= v_from_id AND task_id < v_end_id)
        OR EXISTS (SELECT FROM refusal_default WHERE task_id >= v_from_id AND task_id < v_end_id)
        OR EXISTS (SELECT FROM settlement_default WHERE task_id >= v_from_id AND task_id < v_end_id)
        OR EXISTS (SELECT FROM task_request_default WHERE task_id >= v_from_id AND task_id < v_end_id);
    IF v_is_moving THEN
        LOCK TABLE ONLY refusal, ONLY task_request, ONLY reservation, ONLY settlement;
    END IF;
    FOR v_month IN SELECT generate_series(v_first, v_last, interval '1 month') LOOP
        v_least := least_task_id(v_month AT TIME ZONE 'UTC');
        v_end := least_task_id((v_month + interval '1 month') AT TIME ZONE 'UTC');
        FOREACH v_table IN ARRAY ARRAY['reservation', 'refusal', 'settlement', 'task_request'] LOOP
            v_name := v_table || to_char(v_month, '_YYYY_MM');
            CONTINUE WHEN to_regclass(v_name) IS NOT NULL;
            -- Rows that would go to the default one wait.
            EXECUTE format('LOCK TABLE %I', v_table || '_default');
            CONTINUE WHEN to_regclass(v_name) IS NOT NULL;
            IF NOT v_is_moving THEN
                EXECUTE format('SELECT EXISTS (SELECT FROM %I WHERE task_id >= %L AND task_id < %L)', v_table || '_default', v_least, v_end)
                INTO v_is_found;
                IF v_is_found THEN
                    RAISE EXCEPTION 'rows of % have come to % meanwhile', to_char(v_month, 'YYYY-MM'), v_table
                        USING ERRCODE = 'lock_not_available', HINT = 'Make the partitions again.';
                END IF;
            END IF;
            -- Attached when it is complete: that locks nobody out who reads or adds rows of other months, unless rows move.
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

-- Whoever finds another one at it leaves it to that one. It waits less for a lock than PostgreSQL does before it looks for a deadlock:
-- if somebody has to give way, it is this, and it is called again.
CREATE OR REPLACE FUNCTION make_partitions() RETURNS integer LANGUAGE sql SECURITY DEFINER
    SET search_path = public, pg_temp SET lock_timeout = '250ms'
AS $$
    SELECT CASE WHEN pg_try_advisory_xact_lock(hashtextextended('make_partitions', 0))
                THEN make_partitions(clock_timestamp(), clock_timestamp() + interval '2 months') ELSE 0 END
$$;
