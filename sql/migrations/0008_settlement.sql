-- 0008_settlement.sql: the provider's word on a task: that it took credits, and what became of them.
CREATE TABLE acceptance (
    wallet_id                bigint      NOT NULL,
    task_id                  uuid        NOT NULL,
    entry_number             bigint      NOT NULL,
    provider_task_id         text        NOT NULL,
    held_credits             bigint      NOT NULL,
    reserved_credits         bigint      NOT NULL,
    price_difference_credits bigint      GENERATED ALWAYS AS (reserved_credits - held_credits) STORED,
    accepted_at              timestamptz NOT NULL,
    recorded_at              timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT acceptance_one_per_task PRIMARY KEY (wallet_id, task_id),
    CONSTRAINT acceptance_of_a_reservation FOREIGN KEY (wallet_id, task_id) REFERENCES reservation,
    CONSTRAINT acceptance_reserved_not_negative CHECK (reserved_credits >= 0),
    CONSTRAINT acceptance_held_positive CHECK (held_credits > 0)
);
COMMENT ON TABLE acceptance IS 'The provider accepted a task and took credits; its amount binds the hold. Rows are added, never changed.';
COMMENT ON COLUMN acceptance.entry_number IS 'Place among the entries of the wallet.';
COMMENT ON COLUMN acceptance.provider_task_id IS 'The provider''s id of the task.';
COMMENT ON COLUMN acceptance.held_credits IS 'What was held for it, in whole credits.';
COMMENT ON COLUMN acceptance.reserved_credits IS 'The provider''s reserved_credits, in whole credits: the hold from here on.';
COMMENT ON COLUMN acceptance.price_difference_credits IS 'What the provider took beyond the hold (below zero: less), in whole credits.';
COMMENT ON COLUMN acceptance.accepted_at IS 'The provider''s created_at; where it gave none, when its answer came.';
COMMENT ON COLUMN acceptance.recorded_at IS 'When it was recorded, by the database''s clock.';

CREATE TABLE settlement (
    wallet_id        bigint      NOT NULL,
    task_id          uuid        NOT NULL,
    entry_number     bigint      NOT NULL,
    outcome          text        NOT NULL,
    evidence         text        NOT NULL,
    reserved_credits bigint      NOT NULL,
    charged_credits  bigint      NOT NULL,
    released_credits bigint      NOT NULL,
    price_difference_credits bigint NOT NULL,
    error_code       text,
    resolved_by      text,
    reason           text,
    result_urls      jsonb,
    settled_at       timestamptz NOT NULL,
    recorded_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT settlement_one_per_reservation PRIMARY KEY (wallet_id, task_id),
    CONSTRAINT settlement_of_a_reservation FOREIGN KEY (wallet_id, task_id) REFERENCES reservation,
    CONSTRAINT settlement_adds_up CHECK (reserved_credits = charged_credits + released_credits),
    CONSTRAINT settlement_charged_not_negative CHECK (charged_credits >= 0),
    CONSTRAINT settlement_released_not_negative CHECK (released_credits >= 0),
    CONSTRAINT settlement_outcome_known CHECK (outcome IN ('succeeded', 'failed', 'rejected')),
    CONSTRAINT settlement_rejected_charges_nothing CHECK (outcome <> 'rejected' OR charged_credits = 0),
    CONSTRAINT settlement_on_somebodys_word CHECK (
        evidence = 'provider' AND resolved_by IS NULL AND reason IS NULL
        OR evidence = 'person' AND length(resolved_by) > 0 AND length(reason) > 0)
);
COMMENT ON TABLE settlement IS 'The one event that ends a reservation, on the provider''s word or a named person''s act. Rows are added, never changed.';
COMMENT ON COLUMN settlement.entry_number IS 'Place among the entries of the wallet.';
COMMENT ON COLUMN settlement.outcome IS 'succeeded, failed, or rejected (the provider said no before taking credits). A person''s charge counts as succeeded, a release as failed.';
COMMENT ON COLUMN settlement.evidence IS 'provider, or person.';
COMMENT ON COLUMN settlement.reserved_credits IS 'The hold that it ends, raised to the charge where that was more, in whole credits.';
COMMENT ON COLUMN settlement.charged_credits IS 'Taken for good, in whole credits: the provider''s final_credits, or what the person said.';
COMMENT ON COLUMN settlement.released_credits IS 'Given back, in whole credits.';
COMMENT ON COLUMN settlement.price_difference_credits IS 'For a charge, and for a success that cost nothing: what it differs from the price frozen on the hold, in whole credits; otherwise 0.';
COMMENT ON COLUMN settlement.error_code IS 'The provider''s error code, when it failed or was rejected and a code was given.';
COMMENT ON COLUMN settlement.resolved_by IS 'The person who resolved it.';
COMMENT ON COLUMN settlement.reason IS 'Why the person resolved it so.';
COMMENT ON COLUMN settlement.result_urls IS 'The provider''s result URLs; their lifetime is not documented.';
COMMENT ON COLUMN settlement.settled_at IS 'The provider''s updated_at, or when the person resolved it.';
COMMENT ON COLUMN settlement.recorded_at IS 'When it was recorded, by the database''s clock.';

CREATE TABLE correction (
    wallet_id        bigint      NOT NULL,
    entry_number     bigint      NOT NULL,
    task_id          uuid        NOT NULL,
    reserved_credits bigint      NOT NULL,
    charged_credits  bigint      NOT NULL,
    released_credits bigint      NOT NULL,
    reason           text        NOT NULL,
    corrected_at     timestamptz NOT NULL,
    recorded_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT correction_key PRIMARY KEY (wallet_id, task_id, entry_number),
    CONSTRAINT correction_of_a_settlement FOREIGN KEY (wallet_id, task_id) REFERENCES settlement,
    CONSTRAINT correction_adds_up CHECK (reserved_credits = charged_credits + released_credits),
    CONSTRAINT correction_changes_something CHECK (charged_credits <> 0)
);
COMMENT ON TABLE correction IS 'A later fact about a settled task, such as a success after a release. Rows are added, never changed.';
COMMENT ON COLUMN correction.entry_number IS 'Place among the entries of the wallet.';
COMMENT ON COLUMN correction.task_id IS 'The task whose settlement it corrects.';
COMMENT ON COLUMN correction.reserved_credits IS 'Added to the reserved, in whole credits.';
COMMENT ON COLUMN correction.charged_credits IS 'Added to the charged (below zero: taken off), in whole credits.';
COMMENT ON COLUMN correction.released_credits IS 'Added to the released (below zero: taken off), in whole credits.';
COMMENT ON COLUMN correction.reason IS 'What came to be known.';
COMMENT ON COLUMN correction.corrected_at IS 'The provider''s updated_at of the later fact.';
COMMENT ON COLUMN correction.recorded_at IS 'When it was recorded, by the database''s clock.';

GRANT SELECT ON acceptance, settlement, correction TO usage_service, usage_report;
GRANT INSERT ON acceptance, settlement, correction TO usage_service;
