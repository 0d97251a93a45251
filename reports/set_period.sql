-- Sets what the reports read, for this transaction: wallet $1 (slug), first day $2 and end day $3 (not in it), project $4
-- (empty: all). COPY takes no parameters, so the reports read settings instead. No row: there is no such wallet.
-- They are short: to start parallel workers, or to compile, takes longer than it saves.
SELECT wallet.time_zone, $4::text = '' OR project.project_id IS NOT NULL AS has_project,
       set_config('usage.wallet_id', wallet.wallet_id::text, true) AS wallet_id,
       set_config('usage.project_id', coalesce(project.project_id::text, ''), true) AS project_id,
       set_config('usage.first_day', $2::text, true) AS first_day, set_config('usage.end_day', $3::text, true) AS end_day,
       set_config('usage.end_at', ($3::text::timestamp AT TIME ZONE wallet.time_zone)::text, true) AS end_at,
       set_config('max_parallel_workers_per_gather', '0', true) AS workers, set_config('jit', 'off', true) AS jit
FROM wallet LEFT JOIN project ON project.wallet_id = wallet.wallet_id AND project.slug = $4::text
WHERE wallet.slug = $1::text
