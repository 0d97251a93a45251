-- 0029_plans_of_the_books.sql: acceptances, settlements and errors are booked through the indexes alone, by plans that are made
-- once: made while the tables are still empty, others would read them whole, for each act, until the next ANALYZE.
ALTER FUNCTION accept SET plan_cache_mode = force_generic_plan;
ALTER FUNCTION accept SET enable_seqscan = off;
ALTER FUNCTION accept SET enable_hashjoin = off;
ALTER FUNCTION accept SET enable_mergejoin = off;
ALTER FUNCTION accept SET enable_material = off;
ALTER FUNCTION settle SET plan_cache_mode = force_generic_plan;
ALTER FUNCTION settle SET enable_seqscan = off;
ALTER FUNCTION settle SET enable_hashjoin = off;
ALTER FUNCTION settle SET enable_mergejoin = off;
ALTER FUNCTION settle SET enable_material = off;
ALTER FUNCTION record_errors SET plan_cache_mode = force_generic_plan;
ALTER FUNCTION record_errors SET enable_seqscan = off;
ALTER FUNCTION record_errors SET enable_hashjoin = off;
ALTER FUNCTION record_errors SET enable_mergejoin = off;
ALTER FUNCTION record_errors SET enable_material = off;

-- Not immutable, as the server's encoding is asked for: only so is it written into the statement that calls it.
CREATE OR REPLACE FUNCTION entry_hash_after(previous bytea, line text) RETURNS bytea LANGUAGE sql STABLE PARALLEL SAFE
RETURN sha256(coalesce(previous, '\x0000000000000000000000000000000000000000000000000000000000000000') || convert_to(line, 'UTF8'));
