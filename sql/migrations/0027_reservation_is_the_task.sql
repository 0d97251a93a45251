-- 0027_reservation_is_the_task.sql: a task is its reservation: one row, where two had said the same of it.
--
-- The rows of one task are added together, by the functions of the migrations before and after this one, and nobody may
-- delete them; that each finds the others is proved by usage verify. A foreign key would ask it again for every row, which
-- was a fifth of what a reservation cost: those between the rows of one task go. Those to wallets, projects' budgets and
-- prices' wallets stay, as people make these.
ALTER TABLE reservation ADD COLUMN client_request_id text;
UPDATE reservation hold SET client_request_id = task.client_request_id
FROM task WHERE (task.wallet_id, task.task_id) = (hold.wallet_id, hold.task_id);
ALTER TABLE reservation ALTER COLUMN client_request_id SET NOT NULL;
COMMENT ON COLUMN reservation.client_request_id IS 'The caller''s own name for the request.';
COMMENT ON COLUMN reservation.task_id IS 'The task. UUID version 7, so ids sort by the time of submission. Also the Idempotency-Key of its create request.';

ALTER TABLE reservation DROP CONSTRAINT reservation_of_a_task, DROP CONSTRAINT reservation_at_a_price;
ALTER TABLE refusal DROP CONSTRAINT refusal_of_a_project;
ALTER TABLE task_request DROP CONSTRAINT task_request_of_a_task;
ALTER TABLE task_work DROP CONSTRAINT task_work_of_a_task;
ALTER TABLE recorded_error DROP CONSTRAINT recorded_error_of_a_task;
ALTER TABLE acceptance DROP CONSTRAINT acceptance_of_a_reservation;
ALTER TABLE settlement DROP CONSTRAINT settlement_of_a_reservation;
ALTER TABLE correction DROP CONSTRAINT correction_of_a_settlement;
DROP TABLE task;

CREATE VIEW task AS
SELECT wallet_id, task_id, project_id, model, client_request_id, reserved_at AS submitted_at FROM reservation;
COMMENT ON VIEW task IS 'The tasks: one piece of work for the provider for each reservation.';

GRANT SELECT ON task TO usage_service, usage_report;
