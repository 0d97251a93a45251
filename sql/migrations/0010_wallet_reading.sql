-- 0010_wallet_reading.sql: the provider's balance as seen at one moment.
CREATE TABLE wallet_reading (
    wallet_id            bigint      NOT NULL,
    entry_number         bigint      NOT NULL,
    current_credits      bigint      NOT NULL,
    seen_entry_number    bigint      NOT NULL,
    unattributed_credits bigint      NOT NULL,
    day                  date        NOT NULL,
    evidence             text        NOT NULL,
    recorded_by          text,
    read_at              timestamptz NOT NULL,
    recorded_at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT wallet_reading_key PRIMARY KEY (wallet_id, entry_number),
    CONSTRAINT wallet_reading_of_a_wallet FOREIGN KEY (wallet_id) REFERENCES wallet,
    CONSTRAINT wallet_reading_in_range CHECK (current_credits BETWEEN 0 AND 1000000000000000),
    CONSTRAINT wallet_reading_on_somebodys_word CHECK (
        evidence = 'provider' AND recorded_by IS NULL OR evidence = 'person' AND length(recorded_by) > 0)
);
COMMENT ON TABLE wallet_reading IS 'The provider''s balance at one moment. Rows are added, never changed.';
COMMENT ON COLUMN wallet_reading.entry_number IS 'Place among the entries of the wallet.';
COMMENT ON COLUMN wallet_reading.current_credits IS 'The provider''s current_credits, in whole credits.';
COMMENT ON COLUMN wallet_reading.seen_entry_number IS 'The newest entry when the balance was asked for: what came later it cannot have seen.';
COMMENT ON COLUMN wallet_reading.unattributed_credits IS 'What left the wallet since the last reading by no task of ours (below zero: came in), in whole credits; the smallest figure that the facts allow.';
COMMENT ON COLUMN wallet_reading.day IS 'The day of the reading in the wallet''s time zone.';
COMMENT ON COLUMN wallet_reading.evidence IS 'provider, or person.';
COMMENT ON COLUMN wallet_reading.recorded_by IS 'The person who gave the figure.';
COMMENT ON COLUMN wallet_reading.read_at IS 'When the provider''s answer came, or the person gave the figure.';
COMMENT ON COLUMN wallet_reading.recorded_at IS 'When it was recorded, by the database''s clock.';

GRANT SELECT ON wallet_reading TO usage_service, usage_report;
GRANT INSERT ON wallet_reading TO usage_service;
