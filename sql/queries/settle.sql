-- Ends the holds of tasks of wallet $1: task ids, lease tokens (null: a person), outcomes, credits charged, error codes,
-- result URLs, persons, their reasons, times, when to read the provider once more (null: never).
SELECT settle($1::bigint, $2::uuid[], $3::bigint[], $4::text[], $5::bigint[], $6::text[], $7::jsonb[], $8::text[], $9::text[],
              $10::timestamptz[], $11::timestamptz[]) AS outcomes;
