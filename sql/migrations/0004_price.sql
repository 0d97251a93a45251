-- 0004_price.sql: the price book. A row is frozen on each hold, so a new price never changes an old one.
CREATE TABLE price (
    wallet_id      bigint      NOT NULL,
    price_id       bigint      GENERATED ALWAYS AS IDENTITY,
    model          text        NOT NULL,
    parameter      text,
    value          text,
    amount_credits bigint      NOT NULL,
    effective_from timestamptz NOT NULL,
    CONSTRAINT price_key PRIMARY KEY (wallet_id, price_id),
    CONSTRAINT price_of_a_wallet FOREIGN KEY (wallet_id) REFERENCES wallet,
    CONSTRAINT price_one_per_moment UNIQUE NULLS NOT DISTINCT (wallet_id, model, parameter, value, effective_from),
    CONSTRAINT price_model_named CHECK (length(model) BETWEEN 1 AND 128),
    CONSTRAINT price_parameter_with_value CHECK ((parameter IS NULL) = (value IS NULL)),
    CONSTRAINT price_amount_in_range CHECK (amount_credits BETWEEN 1 AND 1000000000)
);
COMMENT ON TABLE price IS 'What a task of a FIXED model costs, from a moment on. Rows are added, never changed.';
COMMENT ON COLUMN price.model IS 'The provider''s public model id.';
COMMENT ON COLUMN price.parameter IS 'A request parameter that changes the price, such as duration; null for the model''s base price.';
COMMENT ON COLUMN price.value IS 'The value of that parameter that has this price, such as 10.';
COMMENT ON COLUMN price.amount_credits IS 'Credits held for one task, in whole provider credits.';
COMMENT ON COLUMN price.effective_from IS 'First moment at which the price holds; it ends where the next one begins.';

GRANT SELECT ON price TO usage_service, usage_report;
GRANT INSERT ON price TO usage_service;

-- The price of a task at a moment: that of a parameter value it names (the highest, should several match), or else the
-- model's base price.
CREATE FUNCTION price_of(p_wallet_id bigint, p_model text, p_parameters jsonb, p_at timestamptz)
RETURNS TABLE (price_id bigint, amount_credits bigint) LANGUAGE sql STABLE AS $$
    SELECT price_id, amount_credits
    FROM (SELECT DISTINCT ON (parameter, value) price_id, parameter, amount_credits
          FROM price
          WHERE wallet_id = p_wallet_id AND model = p_model AND effective_from <= p_at
              AND (parameter IS NULL OR p_parameters ->> parameter = value)
          ORDER BY parameter, value, effective_from DESC) AS in_force
    ORDER BY parameter IS NULL, amount_credits DESC
    LIMIT 1
$$;
COMMENT ON FUNCTION price_of IS 'The price-book row for a task with these parameters at a moment; none where the model has no price.';
