-- 0011_day_total.sql: what reports are made of, kept in the same transaction as the entries.
CREATE TABLE day_total (
    wallet_id        bigint NOT NULL,
    day              date   NOT NULL,
    project_id       bigint NOT NULL,
    model            text   NOT NULL,
    tasks            bigint NOT NULL DEFAULT 0,
    succeeded        bigint NOT NULL DEFAULT 0,
    failed           bigint NOT NULL DEFAULT 0,
    refused          bigint NOT NULL DEFAULT 0,
    errors           bigint NOT NULL DEFAULT 0,
    reserved_credits bigint NOT NULL DEFAULT 0,
    charged_credits  bigint NOT NULL DEFAULT 0,
    released_credits bigint NOT NULL DEFAULT 0,
    held_credits     bigint NOT NULL DEFAULT 0,
    price_difference_credits bigint NOT NULL DEFAULT 0,
    CONSTRAINT day_total_key PRIMARY KEY (wallet_id, day, project_id, model),
    CONSTRAINT day_total_of_a_project FOREIGN KEY (wallet_id, project_id) REFERENCES project,
    CONSTRAINT day_total_adds_up CHECK (reserved_credits = charged_credits + released_credits + held_credits),
    CONSTRAINT day_total_counts_not_negative CHECK (
        least(tasks, succeeded, failed, refused, errors, charged_credits, released_credits, held_credits) >= 0),
    CONSTRAINT day_total_tasks_add_up CHECK (succeeded + failed <= tasks)
) WITH (fillfactor = 70);
COMMENT ON TABLE day_total IS 'Totals of the tasks whose credits were held on one day, in the wallet''s time zone.';
COMMENT ON COLUMN day_total.day IS 'The day on which the credits were held, or the request was refused.';
COMMENT ON COLUMN day_total.tasks IS 'Tasks admitted; refused requests are not among them.';
COMMENT ON COLUMN day_total.succeeded IS 'Of the tasks, those that succeeded.';
COMMENT ON COLUMN day_total.failed IS 'Of the tasks, those that failed or were rejected by the provider.';
COMMENT ON COLUMN day_total.refused IS 'Requests that the guard turned away.';
COMMENT ON COLUMN day_total.errors IS 'Errors recorded for the day''s tasks.';
COMMENT ON COLUMN day_total.reserved_credits IS 'Credits held for the day''s tasks, ever; whole credits.';
COMMENT ON COLUMN day_total.charged_credits IS 'Of these, taken for good; whole credits.';
COMMENT ON COLUMN day_total.released_credits IS 'Of these, given back; whole credits.';
COMMENT ON COLUMN day_total.held_credits IS 'Of these, still held; whole credits.';
COMMENT ON COLUMN day_total.price_difference_credits IS 'What the day''s charges differ from their price; whole credits.';

GRANT SELECT ON day_total TO usage_service, usage_report;
GRANT INSERT, UPDATE ON day_total TO usage_service;
