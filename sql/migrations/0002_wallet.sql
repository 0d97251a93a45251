-- 0002_wallet.sql: the provider account whose credits all projects share, and its running balance.
CREATE TABLE wallet (
    wallet_id        bigint      GENERATED ALWAYS AS IDENTITY,
    slug             text        NOT NULL,
    time_zone        text        NOT NULL,
    api_key_variable text        NOT NULL,
    created_at       timestamptz NOT NULL,
    CONSTRAINT wallet_key PRIMARY KEY (wallet_id),
    CONSTRAINT wallet_slug_unique UNIQUE (slug),
    CONSTRAINT wallet_slug_form CHECK (slug ~ '^[a-z0-9][a-z0-9_-]{0,62}$'),
    CONSTRAINT wallet_time_zone_known CHECK (timestamptz '2026-01-01 00:00Z' AT TIME ZONE time_zone IS NOT NULL),
    CONSTRAINT wallet_api_key_variable_form CHECK (api_key_variable ~ '^[A-Z_][A-Z0-9_]{0,127}$')
);
COMMENT ON TABLE wallet IS 'One provider account: its credits are shared by all projects of the wallet. The tenant of this schema.';
COMMENT ON COLUMN wallet.slug IS 'Name on the command line: lower-case letters, digits, - and _.';
COMMENT ON COLUMN wallet.time_zone IS 'IANA time zone whose days and months budgets and reports use.';
COMMENT ON COLUMN wallet.api_key_variable IS 'Name of the environment variable that holds the API key. Never the key.';
COMMENT ON COLUMN wallet.created_at IS 'When the wallet was made here.';

CREATE TABLE wallet_balance (
    wallet_id             bigint NOT NULL,
    last_entry_number     bigint NOT NULL DEFAULT 0,
    reserved_credits      bigint NOT NULL DEFAULT 0,
    charged_credits       bigint NOT NULL DEFAULT 0,
    released_credits      bigint NOT NULL DEFAULT 0,
    held_credits          bigint NOT NULL DEFAULT 0,
    waiting_credits       bigint NOT NULL DEFAULT 0,
    taken_credits         bigint NOT NULL DEFAULT 0,
    returned_credits      bigint NOT NULL DEFAULT 0,
    opening_credits       bigint,
    unattributed_credits  bigint NOT NULL DEFAULT 0,
    reading_credits       bigint,
    reading_entry_number  bigint,
    reading_seen_number   bigint,
    reading_taken_credits bigint,
    read_at               timestamptz,
    gate                  text DEFAULT 'no_reading',
    gate_needed_credits   bigint NOT NULL DEFAULT 0,
    gate_entry_number     bigint NOT NULL DEFAULT 0,
    gate_closed_at        timestamptz,
    guard_misses          bigint NOT NULL DEFAULT 0,
    CONSTRAINT wallet_balance_one_per_wallet PRIMARY KEY (wallet_id),
    CONSTRAINT wallet_balance_of_a_wallet FOREIGN KEY (wallet_id) REFERENCES wallet,
    CONSTRAINT wallet_balance_adds_up CHECK (reserved_credits = charged_credits + released_credits + held_credits),
    CONSTRAINT wallet_balance_held_not_negative CHECK (held_credits >= 0),
    CONSTRAINT wallet_balance_waiting_is_held CHECK (waiting_credits BETWEEN 0 AND held_credits),
    CONSTRAINT wallet_balance_reading_complete CHECK (
        num_nulls(reading_credits, reading_entry_number, reading_seen_number, reading_taken_credits, read_at) IN (0, 5)),
    CONSTRAINT wallet_balance_gate_known CHECK (gate IN ('no_reading', 'guard_miss')),
    CONSTRAINT wallet_balance_gate_closed_without_reading CHECK (reading_credits IS NOT NULL OR gate IS NOT NULL)
) WITH (fillfactor = 50);
COMMENT ON TABLE wallet_balance IS 'The running totals of one wallet, changed in the same transaction as every entry. Its row lock puts the entries of a wallet in order.';
COMMENT ON COLUMN wallet_balance.last_entry_number IS 'Number of the newest entry; entries of a wallet are numbered 1, 2, 3 … without gaps.';
COMMENT ON COLUMN wallet_balance.reserved_credits IS 'All credits ever held, in whole provider credits.';
COMMENT ON COLUMN wallet_balance.charged_credits IS 'Of the reserved, what was taken for good, in whole credits.';
COMMENT ON COLUMN wallet_balance.released_credits IS 'Of the reserved, what was given back, in whole credits.';
COMMENT ON COLUMN wallet_balance.held_credits IS 'Of the reserved, what is still held, in whole credits.';
COMMENT ON COLUMN wallet_balance.waiting_credits IS 'Of the held, what the provider is not yet known to have taken, in whole credits.';
COMMENT ON COLUMN wallet_balance.taken_credits IS 'All credits that the provider said it took, in whole credits.';
COMMENT ON COLUMN wallet_balance.returned_credits IS 'Of the taken, what the provider said it gave back, in whole credits.';
COMMENT ON COLUMN wallet_balance.opening_credits IS 'What the provider''s balance would be had this service taken nothing: the first reading plus what had been taken by then. Whole credits; null before a reading.';
COMMENT ON COLUMN wallet_balance.unattributed_credits IS 'Credits that left (or, below zero, entered) the wallet by no task of ours, in whole credits.';
COMMENT ON COLUMN wallet_balance.reading_credits IS 'The provider''s balance at the last reading, in whole credits.';
COMMENT ON COLUMN wallet_balance.reading_entry_number IS 'Entry number of the last reading.';
COMMENT ON COLUMN wallet_balance.reading_seen_number IS 'The newest entry when the last reading was asked for: what came later it cannot have seen.';
COMMENT ON COLUMN wallet_balance.reading_taken_credits IS 'taken_credits when the last reading was asked for, in whole credits.';
COMMENT ON COLUMN wallet_balance.read_at IS 'When the last reading was answered.';
COMMENT ON COLUMN wallet_balance.gate IS 'Why nothing is admitted: no_reading, or guard_miss (the provider had fewer credits than we thought). Null: open.';
COMMENT ON COLUMN wallet_balance.gate_needed_credits IS 'The gate opens when a reading shows at least this many free, in whole credits.';
COMMENT ON COLUMN wallet_balance.gate_entry_number IS 'Only a reading asked for after this entry can open the gate.';
COMMENT ON COLUMN wallet_balance.gate_closed_at IS 'When the gate closed.';
COMMENT ON COLUMN wallet_balance.guard_misses IS 'How often the provider answered insufficient_credits to a task that the guard had admitted.';

-- What the wallet can still give: the last reading less every credit that it cannot have seen leave. Credits that
-- came back since are left out until the next reading shows them.
CREATE FUNCTION available_credits(balance wallet_balance) RETURNS bigint LANGUAGE sql IMMUTABLE
RETURN (balance).reading_credits - (balance).waiting_credits
    - ((balance).taken_credits - (balance).reading_taken_credits);
COMMENT ON FUNCTION available_credits IS 'Credits that the wallet can still give, in whole credits; null before a reading.';

-- How old a reading is at a moment; a reading of another machine's clock may seem to lie ahead, and then counts as new.
CREATE FUNCTION reading_age_seconds(read_at timestamptz, at timestamptz) RETURNS bigint LANGUAGE sql IMMUTABLE
RETURN CASE WHEN read_at IS NOT NULL THEN greatest(extract(epoch FROM at - read_at)::bigint, 0) END;
COMMENT ON FUNCTION reading_age_seconds IS 'Age of a reading in whole seconds; null where there is none.';

GRANT SELECT ON wallet, wallet_balance TO usage_service, usage_report;
GRANT INSERT ON wallet TO usage_service;
GRANT INSERT, UPDATE ON wallet_balance TO usage_service;
