-- The month, as 2026-05, that moment $2 lies in for wallet $1 (slug).
SELECT to_char($2::timestamptz AT TIME ZONE time_zone, 'YYYY-MM') AS month FROM wallet WHERE slug = $1::text
