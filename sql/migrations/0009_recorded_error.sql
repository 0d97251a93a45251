-- 0009_recorded_error.sql: what went wrong, in the provider's words.
CREATE TABLE recorded_error (
    wallet_id    bigint      NOT NULL,
    entry_number bigint      NOT NULL,
    task_id      uuid,
    act          text        NOT NULL,
    attempt      integer     NOT NULL,
    code         text        NOT NULL,
    http_status  integer,
    request_id   text,
    message      text        NOT NULL,
    occurred_at  timestamptz NOT NULL,
    recorded_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT recorded_error_key PRIMARY KEY (wallet_id, entry_number),
    CONSTRAINT recorded_error_once UNIQUE NULLS NOT DISTINCT (wallet_id, task_id, act, attempt, occurred_at),
    CONSTRAINT recorded_error_of_a_task FOREIGN KEY (wallet_id, task_id) REFERENCES task,
    CONSTRAINT recorded_error_act_known CHECK (act IN ('create', 'status', 'upload', 'credits', 'task')),
    CONSTRAINT recorded_error_message_length CHECK (length(message) <= 1000),
    CONSTRAINT recorded_error_code_length CHECK (length(code) BETWEEN 1 AND 200)
);
COMMENT ON TABLE recorded_error IS 'What went wrong with a task or a reading, kept with the provider''s code. Rows are added, never changed.';
COMMENT ON COLUMN recorded_error.entry_number IS 'Place among the entries of the wallet.';
COMMENT ON COLUMN recorded_error.task_id IS 'The task; null for an error of a balance reading.';
COMMENT ON COLUMN recorded_error.act IS 'What was asked: create, status, upload or credits; task: the provider reported the task itself as failed.';
COMMENT ON COLUMN recorded_error.attempt IS 'Which try of that act it was, from 1.';
COMMENT ON COLUMN recorded_error.code IS 'The provider''s error.code, or our word where there was none: no_answer, not_sent, timed_out, unreadable_answer.';
COMMENT ON COLUMN recorded_error.http_status IS 'HTTP status of the answer; null where there was none.';
COMMENT ON COLUMN recorded_error.request_id IS 'The provider''s requestId, for its support.';
COMMENT ON COLUMN recorded_error.message IS 'For a person to read; at most 1000 characters, never a key.';
COMMENT ON COLUMN recorded_error.occurred_at IS 'When it happened, by the worker''s clock.';
COMMENT ON COLUMN recorded_error.recorded_at IS 'When it was recorded, by the database''s clock.';

GRANT SELECT ON recorded_error TO usage_service, usage_report;
GRANT INSERT ON recorded_error TO usage_service;
