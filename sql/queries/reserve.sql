-- Asks the guard about a group of requests of wallet $1, in order: task ids, project slugs, models, parameters that may
-- set the price, the callers' own names, what was asked for (hashed here), request bodies (null: not complete yet), times.
SELECT place, outcome, task_id, amount_credits, decided_at, reasons
FROM reserve($1::bigint, $2::uuid[], $3::text[], $4::text[], $5::jsonb[], $6::text[],
             ARRAY(SELECT sha256(asked) FROM unnest($7::bytea[]) WITH ORDINALITY AS given (asked, place) ORDER BY place),
             $8::bytea[], $9::timestamptz[])
ORDER BY place;
