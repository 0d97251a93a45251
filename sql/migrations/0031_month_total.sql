-- 0031_month_total.sql: the totals of whole months, so that a month's report reads a few rows for each project, however long the
-- month and however many models.
--
-- Today's totals change with every group; those of a month would be one more row to lock and write each time. So a day's totals
-- are added to their month's when the day is over: then they are sealed. What comes later for such a day is added to both. A
-- month's figures are at every moment its row here and its days that are not sealed. Whoever changes a day's totals has
-- locked the wallet's row before, so nobody sees a day twice, or not at all.
CREATE TABLE month_total (
    wallet_id        bigint NOT NULL,
    month            date   NOT NULL,
    project_id       bigint NOT NULL,
    model            text   NOT NULL,
    tasks            bigint NOT NULL,
    succeeded        bigint NOT NULL,
    failed           bigint NOT NULL,
    refused          bigint NOT NULL,
    errors           bigint NOT NULL,
    reserved_credits bigint NOT NULL,
    charged_credits  bigint NOT NULL,
    released_credits bigint NOT NULL,
    held_credits     bigint NOT NULL,
    price_difference_credits bigint NOT NULL,
    CONSTRAINT month_total_key PRIMARY KEY (wallet_id, month, project_id, model),
    CONSTRAINT month_total_adds_up CHECK (reserved_credits = charged_credits + released_credits + held_credits)
) WITH (fillfactor = 70);
COMMENT ON TABLE month_total IS 'Totals of the sealed days of a month. Those of the other days stand in day_total alone.';
COMMENT ON COLUMN month_total.month IS 'First day of the month, in the wallet''s time zone.';
COMMENT ON COLUMN month_total.tasks IS 'As in day_total, like all that follows.';
COMMENT ON COLUMN month_total.reserved_credits IS 'Credits held for the tasks, ever; whole credits.';
COMMENT ON COLUMN month_total.charged_credits IS 'Of these, taken for good; whole credits.';
COMMENT ON COLUMN month_total.released_credits IS 'Of these, given back; whole credits.';
COMMENT ON COLUMN month_total.held_credits IS 'Of these, still held; whole credits.';
COMMENT ON COLUMN month_total.price_difference_credits IS 'What the charges differ from their price; whole credits.';

ALTER TABLE day_total ADD COLUMN sealed boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN day_total.sealed IS 'Whether the row is counted in month_total as well.';
-- Sealing leaves dead rows that every report would step over: they are cleared away by the month, not by the year.
ALTER TABLE day_total SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000);
CREATE INDEX day_total_not_sealed ON day_total (wallet_id, day) WHERE NOT sealed;
COMMENT ON INDEX day_total_not_sealed IS 'The few days that are to be added to their month''s totals.';

CREATE FUNCTION seal_days(p_wallet_id bigint, p_before date) RETURNS void LANGUAGE sql
    SET enable_seqscan = off
AS $$
    WITH sealed AS (
        UPDATE day_total SET sealed = true WHERE wallet_id = p_wallet_id AND day < p_before AND NOT sealed
        RETURNING *
    )
    INSERT INTO month_total AS total (wallet_id, month, project_id, model,
                                      tasks, succeeded, failed, refused, errors, reserved_credits, charged_credits,
                                      released_credits, held_credits, price_difference_credits)
    SELECT wallet_id, period_start('month', day), project_id, model,
           sum(tasks), sum(succeeded), sum(failed), sum(refused), sum(errors), sum(reserved_credits),
           sum(charged_credits), sum(released_credits), sum(held_credits), sum(price_difference_credits)
    FROM sealed GROUP BY 1, 2, 3, 4
    ON CONFLICT ON CONSTRAINT month_total_key DO UPDATE SET
        tasks = total.tasks + excluded.tasks, succeeded = total.succeeded + excluded.succeeded,
        failed = total.failed + excluded.failed, refused = total.refused + excluded.refused,
        errors = total.errors + excluded.errors,
        reserved_credits = total.reserved_credits + excluded.reserved_credits,
        charged_credits = total.charged_credits + excluded.charged_credits,
        released_credits = total.released_credits + excluded.released_credits,
        held_credits = total.held_credits + excluded.held_credits,
        price_difference_credits = total.price_difference_credits + excluded.price_difference_credits
$$;
COMMENT ON FUNCTION seal_days IS 'Adds the totals of a wallet''s days before one to their months; whoever calls it has locked the wallet''s row.';

-- A new day has begun when it gets its first totals. The day before is left open: its last tasks are still under way.
CREATE FUNCTION seal_days_before_new_one() RETURNS trigger LANGUAGE plpgsql
    SET enable_seqscan = off
AS $$
BEGIN
    IF EXISTS (SELECT FROM day_total WHERE wallet_id = NEW.wallet_id AND day < NEW.day - 1 AND NOT sealed) THEN
        PERFORM seal_days(NEW.wallet_id, NEW.day - 1);
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION seal_days_before_new_one IS 'Seals the days before the one that a new row of day_total follows.';
CREATE TRIGGER day_total_begins AFTER INSERT ON day_total FOR EACH ROW EXECUTE FUNCTION seal_days_before_new_one();

CREATE FUNCTION add_to_sealed_month() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE month_total total
    SET tasks = total.tasks + NEW.tasks - OLD.tasks, succeeded = total.succeeded + NEW.succeeded - OLD.succeeded,
        failed = total.failed + NEW.failed - OLD.failed, refused = total.refused + NEW.refused - OLD.refused,
        errors = total.errors + NEW.errors - OLD.errors,
        reserved_credits = total.reserved_credits + NEW.reserved_credits - OLD.reserved_credits,
        charged_credits = total.charged_credits + NEW.charged_credits - OLD.charged_credits,
        released_credits = total.released_credits + NEW.released_credits - OLD.released_credits,
        held_credits = total.held_credits + NEW.held_credits - OLD.held_credits,
        price_difference_credits = total.price_difference_credits + NEW.price_difference_credits - OLD.price_difference_credits
    WHERE total.wallet_id = NEW.wallet_id AND total.month = period_start('month', NEW.day)
        AND total.project_id = NEW.project_id AND total.model = NEW.model;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION add_to_sealed_month IS 'Adds what came later for a sealed day to its month.';
CREATE TRIGGER day_total_changes_sealed AFTER UPDATE ON day_total FOR EACH ROW WHEN (OLD.sealed)
    EXECUTE FUNCTION add_to_sealed_month();

GRANT SELECT ON month_total TO usage_service, usage_report;
GRANT INSERT, UPDATE ON month_total TO usage_service;
REVOKE EXECUTE ON FUNCTION seal_days, seal_days_before_new_one, add_to_sealed_month FROM PUBLIC;
GRANT EXECUTE ON FUNCTION seal_days TO usage_service;

-- What is there already.
SELECT seal_days(wallet_id, newest.day - 1)
FROM (SELECT wallet_id, max(day) AS day FROM day_total GROUP BY wallet_id) AS newest;

-- A period's figures: between the first days of two months, both kinds of rows are found by their day.
CREATE VIEW month_spend AS
SELECT wallet_id, month AS day, project_id, model,
       tasks, succeeded, failed, refused, errors, reserved_credits, charged_credits, released_credits, held_credits,
       price_difference_credits
FROM month_total
UNION ALL
SELECT wallet_id, day, project_id, model,
       tasks, succeeded, failed, refused, errors, reserved_credits, charged_credits, released_credits, held_credits,
       price_difference_credits
FROM day_total WHERE NOT sealed;
COMMENT ON VIEW month_spend IS 'What months come to by project and model: the sealed days as one row of the month''s first day, and each day that is not sealed. Whole credits.';
GRANT SELECT ON month_spend TO usage_service, usage_report;
