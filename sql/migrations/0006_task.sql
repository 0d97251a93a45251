-- 0006_task.sql: the work that is sent to the provider, and where each unfinished piece of it stands.
CREATE TABLE client_request (
    wallet_id         bigint NOT NULL,
    client_request_id text   NOT NULL,
    task_id           uuid   NOT NULL,
    request_sha256    bytea  NOT NULL,
    CONSTRAINT client_request_answered_once PRIMARY KEY (wallet_id, client_request_id),
    CONSTRAINT client_request_id_length CHECK (length(client_request_id) BETWEEN 1 AND 128),
    CONSTRAINT client_request_sha256_length CHECK (length(request_sha256) = 32)
);
COMMENT ON TABLE client_request IS 'The first answer to each request of a caller: a task with a reservation, or a refusal. Rows are added, never changed.';
COMMENT ON COLUMN client_request.client_request_id IS 'The caller''s own name for the request; the task''s id where the caller gave none. At most 128 characters.';
COMMENT ON COLUMN client_request.task_id IS 'The task, or the refusal, that answered it.';
COMMENT ON COLUMN client_request.request_sha256 IS 'SHA-256 of what was asked for, so that the same name with another body is noticed.';

CREATE TABLE task (
    wallet_id         bigint      NOT NULL,
    task_id           uuid        NOT NULL,
    project_id        bigint      NOT NULL,
    model             text        NOT NULL,
    client_request_id text        NOT NULL,
    submitted_at      timestamptz NOT NULL,
    CONSTRAINT task_key PRIMARY KEY (wallet_id, task_id),
    CONSTRAINT task_of_a_project FOREIGN KEY (wallet_id, project_id) REFERENCES project
);
COMMENT ON TABLE task IS 'One piece of work for the provider. Rows are added, never changed.';
COMMENT ON COLUMN task.task_id IS 'UUID version 7, so ids sort by the time of submission. Also the Idempotency-Key of its create request.';
COMMENT ON COLUMN task.model IS 'The provider''s public model id.';
COMMENT ON COLUMN task.client_request_id IS 'The caller''s own name for the request.';
COMMENT ON COLUMN task.submitted_at IS 'When the caller submitted it.';

CREATE TABLE task_request (
    wallet_id bigint      NOT NULL,
    task_id   uuid        NOT NULL,
    body      bytea       NOT NULL,
    stored_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT task_request_one_per_task PRIMARY KEY (wallet_id, task_id),
    CONSTRAINT task_request_of_a_task FOREIGN KEY (wallet_id, task_id) REFERENCES task,
    CONSTRAINT task_request_body_length CHECK (length(body) BETWEEN 2 AND 1048576)
);
COMMENT ON TABLE task_request IS 'The exact bytes of a task''s create request, stored before the first is sent: every resend is byte-identical. Rows are added, never changed.';
COMMENT ON COLUMN task_request.body IS 'The JSON body; at most 1 MiB.';
COMMENT ON COLUMN task_request.stored_at IS 'When it was stored; after the uploads, for a task with references.';

CREATE TABLE task_work (
    wallet_id        bigint      NOT NULL,
    task_id          uuid        NOT NULL,
    state            text        NOT NULL,
    due_at           timestamptz,
    lease_token      bigint      NOT NULL DEFAULT 0,
    leased           boolean     NOT NULL DEFAULT false,
    attempts         integer     NOT NULL DEFAULT 0,
    polls            integer     NOT NULL DEFAULT 0,
    in_doubt         boolean     NOT NULL DEFAULT false,
    first_sent_at    timestamptz,
    accepted_at      timestamptz,
    provider_task_id text,
    CONSTRAINT task_work_one_per_task PRIMARY KEY (wallet_id, task_id),
    CONSTRAINT task_work_of_a_task FOREIGN KEY (wallet_id, task_id) REFERENCES task,
    CONSTRAINT task_work_state_known CHECK (state IN ('queued', 'sending', 'accepted', 'unknown', 'settled')),
    CONSTRAINT task_work_sent_before_accepted CHECK (state NOT IN ('sending', 'accepted', 'unknown') OR first_sent_at IS NOT NULL),
    CONSTRAINT task_work_accepted_has_provider_task CHECK (state NOT IN ('accepted', 'settled') OR provider_task_id IS NOT NULL),
    CONSTRAINT task_work_counts_not_negative CHECK (attempts >= 0 AND polls >= 0)
) WITH (fillfactor = 70);
CREATE INDEX task_work_due ON task_work (wallet_id, due_at) WHERE due_at IS NOT NULL;
COMMENT ON TABLE task_work IS 'What the worker still has to do, one row for each unfinished task. The row goes when nothing is left to do.';
COMMENT ON COLUMN task_work.state IS 'queued, sending, accepted or unknown as in docs/design.md; settled: the books are closed, the provider is read once more.';
COMMENT ON COLUMN task_work.due_at IS 'When a worker should take it next; while one has it, when its lease ends. Null: waits for its references or for a person.';
COMMENT ON COLUMN task_work.lease_token IS 'Goes up by one with each worker that takes the task; a write with an older token is turned away.';
COMMENT ON COLUMN task_work.leased IS 'Whether a worker has it; due_at is then the end of the lease.';
COMMENT ON COLUMN task_work.attempts IS 'Create requests begun.';
COMMENT ON COLUMN task_work.polls IS 'Status requests made since the provider accepted it.';
COMMENT ON COLUMN task_work.in_doubt IS 'Whether an earlier create request may have been taken: then a later no from the provider does not end the hold.';
COMMENT ON COLUMN task_work.first_sent_at IS 'When the first create request began of those that may have been taken.';
COMMENT ON COLUMN task_work.accepted_at IS 'When the provider accepted it.';
COMMENT ON COLUMN task_work.provider_task_id IS 'The provider''s id of the task, once it is known.';

GRANT SELECT ON client_request, task, task_request, task_work TO usage_service, usage_report;
GRANT INSERT ON client_request, task, task_request TO usage_service;
GRANT INSERT, UPDATE, DELETE ON task_work TO usage_service;
