-- Sets what the export of a period's tasks reads besides (after set_period.sql): usage.first_task and usage.end_task, between which the
-- ids of its tasks lie. They tell when the tasks were made; two days are left for clocks and time zones.
-- Every table is read once, in the order of its key, and joined so: that is the quickest and needs no room, and whatever the statistics
-- say, none is looked through for each task of another.
SELECT set_config('usage.first_task', least_task_id((current_setting('usage.first_day')::date - 2)::timestamptz)::text, true) AS first_task,
       set_config('usage.end_task', least_task_id((current_setting('usage.end_day')::date + 2)::timestamptz)::text, true) AS end_task,
       set_config('enable_hashjoin', 'off', true) AS hashjoin, set_config('enable_nestloop', 'off', true) AS nestloop,
       set_config('enable_seqscan', 'off', true) AS seqscan
