-- Books that the provider accepted tasks of wallet $1: task ids, provider task ids, credits taken, times, when to poll.
SELECT accept($1::bigint, $2::uuid[], $3::text[], $4::bigint[], $5::timestamptz[], $6::timestamptz[]) AS outcomes;
