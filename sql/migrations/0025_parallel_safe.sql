-- 0025_parallel_safe.sql: a re-count of all books may use every core. These functions look at nothing but their arguments.
ALTER FUNCTION period_start(text, date) PARALLEL SAFE;
ALTER FUNCTION period_end(text, date) PARALLEL SAFE;
ALTER FUNCTION available_credits(wallet_balance) PARALLEL SAFE;
ALTER FUNCTION reading_age_seconds(timestamptz, timestamptz) PARALLEL SAFE;
