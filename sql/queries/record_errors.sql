-- Keeps errors of wallet $1: task ids (null: a reading), acts, attempts, codes, HTTP status, request ids, messages, times.
SELECT record_errors($1::bigint, $2::uuid[], $3::text[], $4::integer[], $5::text[], $6::integer[], $7::text[], $8::text[],
                     $9::timestamptz[]) IS NULL AS recorded;
