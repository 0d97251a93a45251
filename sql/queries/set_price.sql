-- Adds a price to wallet $1: model, parameter and its value (both null: the model's base price), credits, from when.
INSERT INTO price (wallet_id, model, parameter, value, amount_credits, effective_from)
VALUES ($1::bigint, $2::text, $3::text, $4::text, $5::bigint, $6::timestamptz)
RETURNING price_id;
