-- 0003_project.sql: who the credits are used for.
CREATE TABLE project (
    wallet_id  bigint      NOT NULL,
    project_id bigint      GENERATED ALWAYS AS IDENTITY,
    slug       text        NOT NULL,
    created_at timestamptz NOT NULL,
    CONSTRAINT project_key PRIMARY KEY (wallet_id, project_id),
    CONSTRAINT project_of_a_wallet FOREIGN KEY (wallet_id) REFERENCES wallet,
    CONSTRAINT project_slug_unique UNIQUE (wallet_id, slug),
    CONSTRAINT project_slug_form CHECK (slug ~ '^[a-z0-9][a-z0-9_-]{0,62}$')
);
COMMENT ON TABLE project IS 'Who the credits of a wallet are used for.';
COMMENT ON COLUMN project.slug IS 'Name on the command line and in reports: lower-case letters, digits, - and _.';
COMMENT ON COLUMN project.created_at IS 'When the project was made here.';

GRANT SELECT ON project TO usage_service, usage_report;
GRANT INSERT ON project TO usage_service;
