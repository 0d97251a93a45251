-- Sets what the export of a period's tasks reads besides (after set_period.sql): usage.first_task and usage.end_task, between which the
-- ids of its tasks lie. They tell when the tasks were made; two days are left for clocks and time zones.
-- All tables are read once and joined in the order of their keys: a planner without statistics would look through one of them for each
-- task of the other. Memory stays flat.
SELECT set_config('usage.first_task', least_task_id((current_setting('usage.first_day')::date - 2)::timestamptz)::text, true) AS first_task,
       set_config('usage.end_task', least_task_id((current_setting('usage.end_day')::date + 2)::timestamptz)::text, true) AS end_task,
       set_config('enable_hashjoin', 'off', true) AS hashjoin, set_config('enable_nestloop', 'off', true) AS nestloop
