-- Takes up to $3 due tasks of wallet $1 at time $2, but none of $5, and leases them until $4. Answers with the time of this
-- clock too.
SELECT claimed.*, clock_timestamp() AS now
FROM claim($1::bigint, $2::timestamptz, $3::bigint, $4::timestamptz, $5::uuid[]) AS claimed;
