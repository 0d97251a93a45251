-- Asks the guard about a group of requests of wallet $1, in order. First what they are of, each once: project slugs, and models
-- with the parameters that may set the price. Then for each request: which of the projects, which of the models (both from 1),
-- task id, the caller's own name, SHA-256 of what was asked for, request body (null: not complete yet), time.
SELECT outcomes, task_ids, amounts_credits, decided_ats, reasons
FROM reserve($1::bigint, $2::text[], $3::text[], $4::jsonb[], $5::integer[], $6::integer[], $7::uuid[], $8::text[], $9::bytea[],
             $10::bytea[], $11::timestamptz[]);
