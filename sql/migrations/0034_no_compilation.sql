-- 0034_no_compilation.sql: what books and takes tasks is never compiled. Forbidden ways cost so much in the planner's eyes that a plan
-- which has to go one would be compiled at each call, which takes a hundred times as long as the call.
ALTER FUNCTION reserve SET jit = off;
ALTER FUNCTION accept SET jit = off;
ALTER FUNCTION settle SET jit = off;
ALTER FUNCTION record_errors SET jit = off;
ALTER FUNCTION claim SET jit = off;
ALTER FUNCTION next_due SET jit = off;
ALTER FUNCTION schedule SET jit = off;
ALTER FUNCTION extend_leases SET jit = off;
