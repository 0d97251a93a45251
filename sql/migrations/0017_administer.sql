-- 0017_administer.sql: makes wallets and projects, sets budgets; and the wallet that exists from the start.
CREATE FUNCTION create_wallet(p_slug text, p_time_zone text, p_api_key_variable text, p_at timestamptz)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    v_wallet_id bigint;
BEGIN
    INSERT INTO wallet (slug, time_zone, api_key_variable, created_at)
    VALUES (p_slug, p_time_zone, p_api_key_variable, p_at)
    RETURNING wallet_id INTO v_wallet_id;
    INSERT INTO wallet_balance (wallet_id) VALUES (v_wallet_id);
    -- Source: the provider's page of the model, 2026-05-10. Billing FIXED, base credits 42.
    INSERT INTO price (wallet_id, model, amount_credits, effective_from)
    VALUES (v_wallet_id, 'kling-v2-5-turbo-pro', 42, timestamptz '2000-01-01 00:00Z');
    RETURN v_wallet_id;
END
$$;
COMMENT ON FUNCTION create_wallet IS 'Makes a wallet with its gate closed (no reading yet) and the FIXED price of kling-v2-5-turbo-pro.';

CREATE FUNCTION set_budget(p_wallet_id bigint, p_project_id bigint, p_period text, p_limit_credits bigint, p_at timestamptz)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_entry bigint;
BEGIN
    UPDATE wallet_balance SET last_entry_number = last_entry_number + 1 WHERE wallet_id = p_wallet_id
    RETURNING last_entry_number INTO STRICT v_entry;
    INSERT INTO budget_change (wallet_id, entry_number, project_id, period, limit_credits, changed_at)
    VALUES (p_wallet_id, v_entry, p_project_id, p_period, p_limit_credits, p_at);
    IF p_limit_credits IS NULL THEN
        DELETE FROM budget WHERE wallet_id = p_wallet_id AND project_id = p_project_id AND period = p_period;
        -- Without a budget nothing keeps its counters; a later one makes them anew from the day totals.
        DELETE FROM budget_counter WHERE wallet_id = p_wallet_id AND project_id = p_project_id AND period = p_period;
    ELSE
        INSERT INTO budget (wallet_id, project_id, period, limit_credits)
        VALUES (p_wallet_id, p_project_id, p_period, p_limit_credits)
        ON CONFLICT ON CONSTRAINT budget_one_per_period DO UPDATE SET limit_credits = excluded.limit_credits;
    END IF;
END
$$;
COMMENT ON FUNCTION set_budget IS 'Sets (or, with null, removes) the limit of a project for a period from now on.';

CREATE FUNCTION create_project(p_wallet_id bigint, p_slug text, p_month_credits bigint, p_at timestamptz)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    v_project_id bigint;
BEGIN
    INSERT INTO project (wallet_id, slug, created_at) VALUES (p_wallet_id, p_slug, p_at)
    RETURNING project_id INTO v_project_id;
    PERFORM set_budget(p_wallet_id, v_project_id, 'month', p_month_credits, p_at);
    RETURN v_project_id;
END
$$;
COMMENT ON FUNCTION create_project IS 'Makes a project with its month budget.';

REVOKE EXECUTE ON FUNCTION create_wallet, set_budget, create_project FROM PUBLIC;
GRANT EXECUTE ON FUNCTION create_wallet, set_budget, create_project TO usage_service;

SELECT create_wallet('main', 'UTC', 'RIVYA_API_KEY', now());
