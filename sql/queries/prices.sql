-- The price book of wallet $1.
SELECT model, parameter, value, amount_credits, effective_from
FROM price WHERE wallet_id = $1::bigint
ORDER BY model COLLATE "C", parameter COLLATE "C" NULLS FIRST, value COLLATE "C", effective_from;
