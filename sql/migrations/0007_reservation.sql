-- 0007_reservation.sql: the guard's two answers: credits held for a task, or a request turned away.
CREATE TABLE reservation (
    wallet_id           bigint      NOT NULL,
    task_id             uuid        NOT NULL,
    entry_number        bigint      NOT NULL,
    project_id          bigint      NOT NULL,
    model               text        NOT NULL,
    price_id            bigint      NOT NULL,
    amount_credits      bigint      NOT NULL,
    wallet_held_credits bigint      NOT NULL,
    day                 date        NOT NULL,
    reserved_at         timestamptz NOT NULL,
    recorded_at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT reservation_one_per_task PRIMARY KEY (wallet_id, task_id),
    CONSTRAINT reservation_of_a_task FOREIGN KEY (wallet_id, task_id) REFERENCES task,
    CONSTRAINT reservation_at_a_price FOREIGN KEY (wallet_id, price_id) REFERENCES price,
    CONSTRAINT reservation_amount_positive CHECK (amount_credits > 0),
    CONSTRAINT reservation_entry_numbered CHECK (entry_number > 0)
);
COMMENT ON TABLE reservation IS 'Credits held for one task before it is sent. Rows are added, never changed.';
COMMENT ON COLUMN reservation.entry_number IS 'Place among the entries of the wallet.';
COMMENT ON COLUMN reservation.price_id IS 'The price-book row that set the amount, frozen on the hold.';
COMMENT ON COLUMN reservation.amount_credits IS 'The most the task may cost, in whole provider credits.';
COMMENT ON COLUMN reservation.wallet_held_credits IS 'All that the wallet held once this was added, in whole credits.';
COMMENT ON COLUMN reservation.day IS 'The day, in the wallet''s time zone, whose month the spend belongs to.';
COMMENT ON COLUMN reservation.reserved_at IS 'When the credits were held, by the caller''s clock.';
COMMENT ON COLUMN reservation.recorded_at IS 'When that was recorded, by the database''s clock.';

CREATE TABLE refusal (
    wallet_id      bigint      NOT NULL,
    task_id        uuid        NOT NULL,
    entry_number   bigint      NOT NULL,
    project_id     bigint      NOT NULL,
    model          text        NOT NULL,
    amount_credits bigint      NOT NULL,
    day            date        NOT NULL,
    reasons        jsonb       NOT NULL,
    client_request_id text     NOT NULL,
    refused_at     timestamptz NOT NULL,
    recorded_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT refusal_one_per_request PRIMARY KEY (wallet_id, task_id),
    CONSTRAINT refusal_of_a_project FOREIGN KEY (wallet_id, project_id) REFERENCES project,
    CONSTRAINT refusal_has_reasons CHECK (jsonb_typeof(reasons) = 'array' AND jsonb_array_length(reasons) > 0),
    CONSTRAINT refusal_amount_positive CHECK (amount_credits > 0)
);
COMMENT ON TABLE refusal IS 'A request that the guard turned away: nothing held, nothing sent. Rows are added, never changed.';
COMMENT ON COLUMN refusal.task_id IS 'The id that the task would have had.';
COMMENT ON COLUMN refusal.entry_number IS 'Place among the entries of the wallet.';
COMMENT ON COLUMN refusal.amount_credits IS 'What was asked for, in whole credits.';
COMMENT ON COLUMN refusal.day IS 'The day, in the wallet''s time zone, on which it was refused.';
COMMENT ON COLUMN refusal.reasons IS 'Every ceiling that it would have broken: which, limit, charged, held, remaining (whole credits), when it resets, and the reading''s age.';
COMMENT ON COLUMN refusal.client_request_id IS 'The caller''s own name for the request.';
COMMENT ON COLUMN refusal.refused_at IS 'When it was refused, by the caller''s clock.';
COMMENT ON COLUMN refusal.recorded_at IS 'When that was recorded, by the database''s clock.';

GRANT SELECT ON reservation, refusal TO usage_service, usage_report;
GRANT INSERT ON reservation, refusal TO usage_service;
