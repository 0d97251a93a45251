-- 0005_budget.sql: the most a project may use in a period, its history, and what is used of it.
CREATE TABLE budget (
    wallet_id     bigint NOT NULL,
    project_id    bigint NOT NULL,
    period        text   NOT NULL,
    limit_credits bigint NOT NULL,
    CONSTRAINT budget_one_per_period PRIMARY KEY (wallet_id, project_id, period),
    CONSTRAINT budget_of_a_project FOREIGN KEY (wallet_id, project_id) REFERENCES project,
    CONSTRAINT budget_period_known CHECK (period IN ('day', 'month', 'total')),
    CONSTRAINT budget_limit_in_range CHECK (limit_credits BETWEEN 0 AND 1000000000000000)
);
COMMENT ON TABLE budget IS 'The limits now in force. Every project has a month budget; day and total are optional.';
COMMENT ON COLUMN budget.period IS 'day, month (both in the wallet''s time zone) or total.';
COMMENT ON COLUMN budget.limit_credits IS 'The most that may be held and charged in one such period, in whole credits.';

CREATE TABLE budget_change (
    wallet_id     bigint      NOT NULL,
    entry_number  bigint      NOT NULL,
    project_id    bigint      NOT NULL,
    period        text        NOT NULL,
    limit_credits bigint,
    changed_at    timestamptz NOT NULL,
    recorded_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT budget_change_key PRIMARY KEY (wallet_id, entry_number),
    CONSTRAINT budget_change_of_a_project FOREIGN KEY (wallet_id, project_id) REFERENCES project,
    CONSTRAINT budget_change_period_known CHECK (period IN ('day', 'month', 'total')),
    CONSTRAINT budget_change_month_stays CHECK (period <> 'month' OR limit_credits IS NOT NULL)
);
COMMENT ON TABLE budget_change IS 'Every limit that was ever set, in order, so that each admission can be replayed. Rows are added, never changed.';
COMMENT ON COLUMN budget_change.entry_number IS 'Place among the entries of the wallet.';
COMMENT ON COLUMN budget_change.limit_credits IS 'The limit from then on, in whole credits; null: the budget was removed.';
COMMENT ON COLUMN budget_change.changed_at IS 'When it was set, by the caller''s clock.';
COMMENT ON COLUMN budget_change.recorded_at IS 'When it was recorded, by the database''s clock.';

CREATE TABLE budget_counter (
    wallet_id       bigint NOT NULL,
    project_id      bigint NOT NULL,
    period          text   NOT NULL,
    starts_on       date   NOT NULL,
    held_credits    bigint NOT NULL,
    charged_credits bigint NOT NULL,
    CONSTRAINT budget_counter_one_per_period PRIMARY KEY (wallet_id, project_id, period, starts_on),
    CONSTRAINT budget_counter_of_a_project FOREIGN KEY (wallet_id, project_id) REFERENCES project,
    CONSTRAINT budget_counter_period_known CHECK (period IN ('day', 'month', 'total')),
    CONSTRAINT budget_counter_held_not_negative CHECK (held_credits >= 0),
    CONSTRAINT budget_counter_charged_not_negative CHECK (charged_credits >= 0)
) WITH (fillfactor = 70);
COMMENT ON TABLE budget_counter IS 'What is used of a budget in one period; made from the day totals when first needed, then kept in the same transaction as the entries.';
COMMENT ON COLUMN budget_counter.starts_on IS 'First day of the period in the wallet''s time zone; 0001-01-01 for total.';
COMMENT ON COLUMN budget_counter.held_credits IS 'Held for tasks whose hold fell into the period, in whole credits.';
COMMENT ON COLUMN budget_counter.charged_credits IS 'Charged for tasks whose hold fell into the period, in whole credits.';

-- First day of the period that a day lies in.
CREATE FUNCTION period_start(period text, day date) RETURNS date LANGUAGE sql IMMUTABLE
RETURN CASE period WHEN 'day' THEN day WHEN 'month' THEN date_trunc('month', day::timestamp)::date ELSE DATE '0001-01-01' END;
COMMENT ON FUNCTION period_start IS 'First day of the day, month or total period that a day lies in.';

-- First day after the period that starts on a day; null for total, which never resets.
CREATE FUNCTION period_end(period text, starts_on date) RETURNS date LANGUAGE sql IMMUTABLE
RETURN CASE period WHEN 'day' THEN starts_on + 1 WHEN 'month' THEN (starts_on::timestamp + interval '1 month')::date END;
COMMENT ON FUNCTION period_end IS 'First day after a period: when its budget resets. Null for total.';

GRANT SELECT ON budget, budget_change, budget_counter TO usage_service, usage_report;
GRANT INSERT, UPDATE, DELETE ON budget TO usage_service;
GRANT INSERT ON budget_change TO usage_service;
GRANT INSERT, UPDATE, DELETE ON budget_counter TO usage_service;
