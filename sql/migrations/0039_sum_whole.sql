-- 0039_sum_whole.sql: sums of whole numbers for the reports. PostgreSQL's own sum() of bigint goes through numeric, which was a fifth
-- of a report's time in the database.
CREATE AGGREGATE sum_whole(bigint) (SFUNC = int8pl, STYPE = bigint, COMBINEFUNC = int8pl, PARALLEL = SAFE);
COMMENT ON AGGREGATE sum_whole(bigint) IS 'The sum as a bigint, null of nothing; one beyond 64 bits is an error.';
