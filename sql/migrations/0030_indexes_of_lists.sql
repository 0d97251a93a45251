-- 0030_indexes_of_lists.sql: what reports and lists look for, so that none reads more as the books grow.
--
-- None is on a table that the guard adds a row to for every task, but for the few tasks that do not succeed.
CREATE INDEX day_total_of_a_project ON day_total (wallet_id, project_id, day);
COMMENT ON INDEX day_total_of_a_project IS 'A budget''s counter is made from these, and a project''s tasks are found by their days.';

CREATE INDEX budget_change_of_a_project ON budget_change (wallet_id, project_id, period, entry_number);
COMMENT ON INDEX budget_change_of_a_project IS 'The limit that a project had at a month''s end.';

CREATE INDEX wallet_reading_of_a_day ON wallet_reading (wallet_id, day, entry_number);
COMMENT ON INDEX wallet_reading_of_a_day IS 'The last reading of a month.';

CREATE INDEX wallet_reading_with_a_difference ON wallet_reading (wallet_id, day) INCLUDE (unattributed_credits)
    WHERE unattributed_credits <> 0;
COMMENT ON INDEX wallet_reading_with_a_difference IS 'The few readings that the tasks do not explain.';

CREATE INDEX settlement_without_success ON settlement (wallet_id, outcome, task_id) WHERE outcome <> 'succeeded';
COMMENT ON INDEX settlement_without_success IS 'The tasks that failed or were rejected, newest first.';

-- The least id that a task of a moment can have. Source of the layout: RFC 9562, section 5.7.
CREATE FUNCTION least_task_id(p_at timestamptz) RETURNS uuid LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (lpad(to_hex(greatest(floor(extract(epoch FROM p_at) * 1000), 0)::bigint), 12, '0') || repeat('0', 20))::uuid;
COMMENT ON FUNCTION least_task_id IS 'The least id of a task that is made at a moment: ids are UUIDs of version 7.';
