-- Sets what the reports read, for this transaction: wallet $1 (slug), month $2 (such as 2026-05; empty: the one that moment $3 lies in
-- there), project $4 (slug; empty: all). COPY takes no parameters, so the reports read settings instead. Of a wallet that there is not,
-- they find nothing. They are short: to start parallel workers, or to compile, takes longer than it saves.
SELECT wallet.time_zone, $4::text = '' OR project.project_id IS NOT NULL AS has_project, to_char(period.first_day, 'YYYY-MM') AS month,
       set_config('usage.wallet_id', coalesce(wallet.wallet_id, 0)::text, true) AS wallet_id,
       set_config('usage.project_id', coalesce(project.project_id::text, ''), true) AS project_id,
       set_config('usage.first_day', period.first_day::text, true) AS first_day,
       set_config('usage.end_day', period.end_day::text, true) AS end_day,
       set_config('usage.end_at', (period.end_day::timestamp AT TIME ZONE period.zone)::text, true) AS end_at,
       set_config('max_parallel_workers_per_gather', '0', true) AS workers, set_config('jit', 'off', true) AS jit
FROM (VALUES ($1::text)) AS asked (wallet)
LEFT JOIN wallet ON wallet.slug = asked.wallet
LEFT JOIN project ON project.wallet_id = wallet.wallet_id AND project.slug = $4::text
CROSS JOIN LATERAL (
    SELECT here.zone, first_day::date, (first_day + interval '1 month')::date AS end_day
    FROM (VALUES (coalesce(wallet.time_zone, 'UTC'))) AS here (zone),
         date_trunc('month', CASE $2::text WHEN '' THEN $3::timestamptz AT TIME ZONE here.zone
                                           ELSE ($2::text || '-01')::timestamp END) AS first_day
) AS period
