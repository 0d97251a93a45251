-- 0036_partitions.sql: reservations, refusals, settlements and requests by month, so that an old month can be archived or dropped as
-- a table, and none of it is touched by what happens now.
--
-- A row belongs to the month, in UTC, in which its task was made: the id says so (least_task_id), so all rows of one task lie in
-- partitions of one month, and whoever knows the id looks into one only. What has to be unique over all months stays
-- whole: the names of requests (client_request), the provider's ids (acceptance) and the numbers of entries (entry_hash).
--
-- Partitions are made ahead by make_partitions(), which every worker calls. What comes before its partition waits in the
-- default one and moves when it is made, so nothing depends on somebody calling in time.
DROP VIEW task;
DROP VIEW task_credits;
DROP VIEW entry;
DROP FUNCTION entry_line(reservation);
DROP FUNCTION entry_line(refusal);
DROP FUNCTION entry_line(settlement);
ALTER TABLE reservation RENAME TO reservation_before;
ALTER TABLE refusal RENAME TO refusal_before;
ALTER TABLE settlement RENAME TO settlement_before;
ALTER TABLE task_request RENAME TO task_request_before;
ALTER TABLE reservation_before DROP CONSTRAINT reservation_one_per_task;
ALTER TABLE refusal_before DROP CONSTRAINT refusal_one_per_request;
ALTER TABLE settlement_before DROP CONSTRAINT settlement_one_per_reservation;
ALTER TABLE task_request_before DROP CONSTRAINT task_request_one_per_task;
DROP INDEX settlement_without_success;

CREATE TABLE reservation (
    LIKE reservation_before INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING COMMENTS,
    CONSTRAINT reservation_one_per_task PRIMARY KEY (wallet_id, task_id)
) PARTITION BY RANGE (task_id);
COMMENT ON TABLE reservation IS 'Credits held for one task before it is sent, by the month of the task. Rows are added, never changed.';

CREATE TABLE refusal (
    LIKE refusal_before INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING COMMENTS,
    CONSTRAINT refusal_one_per_request PRIMARY KEY (wallet_id, task_id)
) PARTITION BY RANGE (task_id);
COMMENT ON TABLE refusal IS 'A request that the guard turned away: nothing held, nothing sent; by the month of the request. Rows are added, never changed.';

CREATE TABLE settlement (
    LIKE settlement_before INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING COMMENTS,
    CONSTRAINT settlement_one_per_reservation PRIMARY KEY (wallet_id, task_id)
) PARTITION BY RANGE (task_id);
CREATE INDEX settlement_without_success ON settlement (wallet_id, outcome, task_id) WHERE outcome <> 'succeeded';
COMMENT ON TABLE settlement IS 'The one event that ends a reservation, on the provider''s word or a named person''s act; by the month of the task. Rows are added, never changed.';
COMMENT ON INDEX settlement_without_success IS 'The tasks that failed or were rejected, newest first.';

CREATE TABLE task_request (
    LIKE task_request_before INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING COMMENTS,
    CONSTRAINT task_request_one_per_task PRIMARY KEY (wallet_id, task_id)
) PARTITION BY RANGE (task_id);
COMMENT ON TABLE task_request IS 'The exact bytes of a task''s create request, stored before the first is sent: every resend is byte-identical. By the month of the task. Rows are added, never changed.';

CREATE TABLE reservation_default PARTITION OF reservation DEFAULT;
CREATE TABLE refusal_default PARTITION OF refusal DEFAULT;
CREATE TABLE settlement_default PARTITION OF settlement DEFAULT;
CREATE TABLE task_request_default PARTITION OF task_request DEFAULT;
COMMENT ON TABLE reservation_default IS 'Reservations of months that have no partition yet.';
COMMENT ON TABLE refusal_default IS 'Refusals of months that have no partition yet.';
COMMENT ON TABLE settlement_default IS 'Settlements of months that have no partition yet.';
COMMENT ON TABLE task_request_default IS 'Requests of months that have no partition yet.';

CREATE FUNCTION make_partitions(p_from timestamptz, p_until timestamptz) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    v_table text;
    v_name  text;
    v_month timestamp;
    v_least uuid;
    v_end   uuid;
    v_made  integer := 0;
BEGIN
    FOR v_month IN SELECT generate_series(date_trunc('month', p_from AT TIME ZONE 'UTC'), p_until AT TIME ZONE 'UTC', interval '1 month') LOOP
        v_least := least_task_id(v_month AT TIME ZONE 'UTC');
        v_end := least_task_id((v_month + interval '1 month') AT TIME ZONE 'UTC');
        FOREACH v_table IN ARRAY ARRAY['reservation', 'refusal', 'settlement', 'task_request'] LOOP
            v_name := v_table || to_char(v_month, '_YYYY_MM');
            CONTINUE WHEN to_regclass(v_name) IS NOT NULL;
            -- Whoever comes second waits here, and then finds it made. Rows that would go to the default one wait as well.
            EXECUTE format('LOCK TABLE %I', v_table || '_default');
            CONTINUE WHEN to_regclass(v_name) IS NOT NULL;
            -- Attached when it is complete: that locks nobody out who reads or adds rows of other months.
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
COMMENT ON FUNCTION make_partitions(timestamptz, timestamptz) IS 'Makes the partitions of the months from one moment to another, and moves what waits for them; returns how many it made.';

-- Runs with the owner's rights. Does not wait long for a lock that others would have to wait behind: it is called again.
CREATE FUNCTION make_partitions() RETURNS integer LANGUAGE sql SECURITY DEFINER
    SET search_path = public, pg_temp SET lock_timeout = '1s'
AS $$ SELECT make_partitions(clock_timestamp(), clock_timestamp() + interval '2 months') $$;
COMMENT ON FUNCTION make_partitions() IS 'Makes the partitions of this month and the next two, by the database''s clock, where they are missing; returns how many it made.';

-- What is there already, month by month.
SELECT make_partitions(min(at), max(at))
FROM (SELECT reserved_at AS at FROM reservation_before UNION ALL SELECT refused_at FROM refusal_before) AS asked
HAVING count(*) > 0;
SELECT make_partitions();
INSERT INTO reservation SELECT * FROM reservation_before;
INSERT INTO refusal SELECT * FROM refusal_before;
INSERT INTO settlement SELECT * FROM settlement_before;
INSERT INTO task_request SELECT * FROM task_request_before;
DROP TABLE reservation_before, refusal_before, settlement_before, task_request_before;

-- What hung on them, as before.
CREATE FUNCTION entry_line(e reservation) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
RETURN json_build_array('reservation', e.wallet_id, e.entry_number, e.task_id, e.project_id, e.model, e.price_id, e.amount_credits,
    e.wallet_held_credits, e.day, e.reserved_at AT TIME ZONE 'UTC', e.recorded_at AT TIME ZONE 'UTC')::text;

CREATE FUNCTION entry_line(e refusal) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
RETURN json_build_array('refusal', e.wallet_id, e.entry_number, e.task_id, e.project_id, e.model, e.amount_credits, e.day, e.reasons,
    e.client_request_id, e.refused_at AT TIME ZONE 'UTC', e.recorded_at AT TIME ZONE 'UTC')::text;

CREATE FUNCTION entry_line(e settlement) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
RETURN json_build_array('settlement', e.wallet_id, e.entry_number, e.task_id, e.outcome, e.evidence, e.reserved_credits,
    e.charged_credits, e.released_credits, e.price_difference_credits, e.error_code, e.resolved_by, e.reason, e.result_urls,
    e.settled_at AT TIME ZONE 'UTC', e.recorded_at AT TIME ZONE 'UTC')::text;

COMMENT ON FUNCTION entry_line(reservation) IS 'The bytes that stand for a reservation in the hash chain.';
COMMENT ON FUNCTION entry_line(refusal) IS 'The bytes that stand for a refusal in the hash chain.';
COMMENT ON FUNCTION entry_line(settlement) IS 'The bytes that stand for a settlement in the hash chain.';

CREATE VIEW entry AS
SELECT e.wallet_id, e.entry_number, 'reservation' AS kind, e.task_id, entry_line(e) AS line FROM reservation e
UNION ALL SELECT e.wallet_id, e.entry_number, 'refusal', e.task_id, entry_line(e) FROM refusal e
UNION ALL SELECT e.wallet_id, e.entry_number, 'acceptance', e.task_id, entry_line(e) FROM acceptance e
UNION ALL SELECT e.wallet_id, e.entry_number, 'settlement', e.task_id, entry_line(e) FROM settlement e
UNION ALL SELECT e.wallet_id, e.entry_number, 'correction', e.task_id, entry_line(e) FROM correction e
UNION ALL SELECT e.wallet_id, e.entry_number, 'recorded_error', e.task_id, entry_line(e) FROM recorded_error e
UNION ALL SELECT e.wallet_id, e.entry_number, 'wallet_reading', NULL, entry_line(e) FROM wallet_reading e
UNION ALL SELECT e.wallet_id, e.entry_number, 'budget_change', NULL, entry_line(e) FROM budget_change e;
COMMENT ON VIEW entry IS 'Every entry of every wallet, with the line that stands for it in the hash chain.';

CREATE VIEW task_credits AS
SELECT hold.wallet_id, hold.task_id, hold.project_id, hold.model, hold.day,
       ended.outcome,
       coalesce(ended.reserved_credits + coalesce(later.reserved, 0), taken.reserved_credits, hold.amount_credits) AS reserved_credits,
       coalesce(ended.charged_credits + coalesce(later.charged, 0), 0) AS charged_credits,
       coalesce(ended.released_credits + coalesce(later.released, 0), 0) AS released_credits,
       CASE WHEN ended.task_id IS NULL THEN coalesce(taken.reserved_credits, hold.amount_credits) ELSE 0 END AS held_credits,
       CASE WHEN ended.task_id IS NULL AND taken.task_id IS NULL THEN hold.amount_credits ELSE 0 END AS waiting_credits,
       CASE WHEN ended.outcome = 'succeeded' OR ended.charged_credits + coalesce(later.charged, 0) <> 0
            THEN ended.charged_credits + coalesce(later.charged, 0) - hold.amount_credits ELSE 0 END AS price_difference_credits
FROM reservation hold
LEFT JOIN acceptance taken USING (wallet_id, task_id)
LEFT JOIN settlement ended USING (wallet_id, task_id)
LEFT JOIN (
    SELECT wallet_id, task_id, sum(reserved_credits)::bigint AS reserved, sum(charged_credits)::bigint AS charged,
           sum(released_credits)::bigint AS released
    FROM correction GROUP BY wallet_id, task_id
) AS later USING (wallet_id, task_id);
COMMENT ON VIEW task_credits IS 'What the entries of each task add up to, in whole credits: reserved = charged + released + held.';

CREATE VIEW task AS
SELECT wallet_id, task_id, project_id, model, client_request_id, reserved_at AS submitted_at FROM reservation;
COMMENT ON VIEW task IS 'The tasks: one piece of work for the provider for each reservation.';

GRANT SELECT ON reservation, refusal, settlement, task, task_credits TO usage_service, usage_report;
GRANT INSERT ON reservation, refusal, settlement, task_request TO usage_service;
GRANT SELECT ON task_request TO usage_service;
GRANT SELECT (wallet_id, task_id, stored_at) ON task_request TO usage_report;
GRANT SELECT ON entry TO usage_report;
REVOKE EXECUTE ON FUNCTION make_partitions(), make_partitions(timestamptz, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION make_partitions() TO usage_service;
